#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drover/ports/reads.hpp"

namespace drover::engine {

// How many jobs of each queue are ready, about to be claimed, and leased. Nothing else counts jobs: every
// change of a count goes through one of these functions, and each checks that the counts do not contradict
// each other (a CheckFailed ends the term, and the store is read anew). A queue of which nothing is counted
// is forgotten. The engine's thread alone.
//
// At the beginning of a term nobody knows how many jobs are ready. While that is being counted, `ready` is
// the difference since the count began.
class Accounts {
 public:
  Accounts() = default;
  Accounts(Accounts&&) = default;  // a copy's by_length_ would name the queues of the original
  Accounts& operator=(Accounts&&) = default;

  struct Queue {
    std::int64_t ready = 0;
    std::int64_t claiming = 0;  // of `ready`: claims under way
    std::int64_t leased = 0;
    std::int64_t announced = 0;  // unserved(), when the reconciler was last told of it
    [[nodiscard]] std::int64_t unserved() const { return ready - claiming; }
    [[nodiscard]] std::int64_t length() const { return ready + leased; }
  };
  // Of all queues.
  struct Sum {
    std::int64_t ready = 0;
    std::int64_t leased = 0;
  };
  // The longest first, those of one length by name: (-length, name).
  using ByLength = std::set<std::pair<std::int64_t, std::string_view>>;

  void became_ready(const std::string& queue, std::int64_t jobs = 1);
  void no_longer_ready(const std::string& queue);
  void claim_begins(const std::string& queue);
  void claim_refused(const std::string& queue);
  void claimed(const std::string& queue);  // committed: the job is leased
  // A lease that was there before this term.
  void found_leased(const std::string& queue);
  void lease_ended(const std::string& queue);
  // Sets the count to what the store has: somebody may have changed rows by hand. Not while counting().
  void found_ready(const std::string& queue, std::int64_t ready);
  // The ready jobs are being counted, and what is in the accounts by now is in the count.
  void count_begins();
  // What was counted: from now on `ready` is how many are ready.
  void count_ends(const std::vector<ports::QueueDepth>& depths);
  [[nodiscard]] bool counting() const { return counting_; }

  [[nodiscard]] const std::map<std::string, Queue, std::less<>>& queues() const { return queues_; }
  // Kept beside queues(), so that finding the longest does not go through all of them: clients make up queue
  // names without end.
  [[nodiscard]] const ByLength& by_length() const { return by_length_; }
  [[nodiscard]] const Sum& sum() const { return sum_; }
  [[nodiscard]] Queue of(const std::string& queue) const;
  // True once when work came that no worker takes: the first of its queue, or twice what was announced last.
  [[nodiscard]] bool take_growth();

 private:
  using Queues = std::map<std::string, Queue, std::less<>>;
  template <class F>
  void change(const std::string& queue, F&& how);
  template <class F>
  void change_all(F&& how);
  // The queue's counts have changed from `before`: they are checked, and the queue is forgotten if nothing is
  // left of it.
  void counted(Queues::iterator queue, const Queue& before);

  Queues queues_;
  ByLength by_length_;  // of each of queues_, which holds the name
  Sum sum_;
  bool counting_ = true;
  bool grown_ = false;
};

}  // namespace drover::engine
