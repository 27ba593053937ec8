#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <unordered_set>
#include <vector>

#include "order.hpp"
#include "work.hpp"

namespace drover::engine {

// Forms works into batches, and sees each through to its answer. One batch is under way at a time; the next
// is formed when its outcome has been remembered, so that every work is made with the present state. The
// engine's thread alone.
class Pipeline {
 public:
  // Called for each change that was carried out, before anybody is told of any of its batch.
  using Remember = std::function<void(const ports::Change&, const ports::Settled&)>;
  explicit Pipeline(Remember remember) : remember_(std::move(remember)) {}

  void add(Work work);
  [[nodiscard]] bool idle() const { return !under_way() && forming_.empty() && waiting() == 0; }
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] bool under_way() const { return under_way_.has_value(); }

  // Forms a batch, in this order: what had to wait for another with one of its keys, in begin(); what is
  // offered; the lanes, in fill(). `numbers`: so many of jobs are left; how many more the next submission
  // needs before it can be made is returned.
  void begin();
  // False: one of its keys is taken, or the batch is full; the work was not made, and is dropped. It goes
  // with this batch or not at all.
  [[nodiscard]] bool offer(Work work);
  // Nothing more goes with the batch that is being formed.
  [[nodiscard]] bool is_full() const;
  [[nodiscard]] std::size_t fill(std::size_t numbers);
  // The batch is on its way to the writer with these changes.
  [[nodiscard]] std::vector<ports::Change> send();
  // The order that was to carry them held nothing, and is not under way.
  void nothing_sent();

  // How what is under way went. `leading`: the term goes on, and has to remember it.
  void outcome(OrderDone& done, bool leading);
  void resolved(Resolved resolved);
  [[nodiscard]] bool in_doubt() const { return !doubtful_.empty(); }
  // Tells the callers of the works in doubt `error`: their outcome is not known for now.
  void abandon_doubt(const Error& error);
  // Refuses all that waits.
  void refuse_all(const Error& error);

 private:
  [[nodiscard]] bool has_taken_key(const Work& work) const;
  void make(Work work);
  void fill_from(std::deque<Work>& lane);

  Remember remember_;
  std::deque<Work> put_off_;               // with a key that an earlier one of the batch had
  std::array<std::deque<Work>, 3> lanes_;  // the system's and workers', operators', submissions
  struct Made {
    Work work;
    ports::Change change;
  };
  std::vector<Made> forming_;
  std::deque<Work> put_off_next_;
  std::unordered_set<ports::Key, ports::KeyHash> taken_;
  std::size_t rows_ = 0;
  std::size_t bytes_ = 0;
  std::optional<std::vector<Work>> under_way_;  // of the batch that the writer has
  std::deque<Work> answering_;                  // carried out or not, and not told of it yet
  std::deque<Work> doubtful_;
};

}  // namespace drover::engine
