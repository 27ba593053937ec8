#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "drover/ports/metrics.hpp"
#include "drover/ports/store.hpp"

namespace drover::engine {

// One change on its way. `make` is called when its batch is formed, with all earlier batches applied, so that
// it decides on the present state; an Error or nullopt from it ends the work without a command. `done` gets
// the outcome after the commit.
struct Work {
  std::optional<JobNumber> job;  // at most one work per job is in a batch; the next waits
  std::size_t rows = 1;
  std::function<Result<std::optional<ports::Command>>()> make;
  std::function<void(ports::Outcome)> done;  // also called with make's Error; not called after nullopt
  std::size_t bytes = 0;                     // of the text that it writes
};

// Turns queued work into transactions on a leader's session. Not thread-safe.
class Committer {
 public:
  // `applied` is called for each committed command, before its `done`.
  using AppliedHook = std::function<void(const ports::Command&, const ports::Applied&)>;

  Committer(ports::Store& store, ports::Metrics& metrics, AppliedHook applied);

  void begin_term(ports::WriteSession* session);
  // The session is lost: work that is queued is answered with `error`; what is in doubt stays for resolve().
  void end_term(const Error& error);

  void add(Work work);
  [[nodiscard]] bool idle() const { return waiting_.empty(); }
  [[nodiscard]] std::size_t backlog() const { return waiting_.size(); }

  enum class Batch { empty, answered, lost };
  // Forms and commits one batch. empty: there was nothing to ask the store; lost: the session is.
  Batch commit_batch();

  // Asks what became of a transaction in doubt, if there is one, and answers its waiters. False: cannot be
  // known yet.
  bool resolve();
  [[nodiscard]] bool in_doubt() const { return doubt_.has_value(); }
  // Answers the waiters of a transaction in doubt with `error`: nobody can say for now.
  void abandon_doubt(const Error& error);

 private:
  struct Item {
    Work work;
    ports::Command command;
  };
  struct Doubt {
    std::string transaction;
    std::vector<Item> items;
    std::vector<ports::Outcome> outcomes;
  };

  [[nodiscard]] std::vector<Item> form_batch();
  bool commit_items(std::vector<Item> items);

  ports::Store& store_;
  ports::Metrics& metrics_;
  AppliedHook applied_;
  ports::WriteSession* session_ = nullptr;
  std::deque<Work> waiting_;
  std::optional<Doubt> doubt_;
};

}  // namespace drover::engine
