#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drover/ports/metrics.hpp"
#include "drover/ports/store.hpp"

#include "work.hpp"

namespace drover::engine {

// Turns queued work into transactions on a leader's session. Not thread-safe.
class Committer {
 public:
  // `remember` is called for each change that was carried out, before anybody is told of any of its batch.
  using Remember = std::function<void(const ports::Change&, const ports::Settled&)>;

  Committer(ports::Store& store, ports::Metrics& metrics, Remember remember);

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
    ports::Change change;
  };
  struct Doubt {
    std::string transaction;
    std::vector<Item> items;
    std::vector<ports::Settled> settled;
  };

  [[nodiscard]] std::vector<Item> form_batch();
  bool commit_items(std::vector<Item> items);

  ports::Store& store_;
  ports::Metrics& metrics_;
  Remember remember_;
  ports::WriteSession* session_ = nullptr;
  std::deque<Work> waiting_;
  std::optional<Doubt> doubt_;
};

}  // namespace drover::engine
