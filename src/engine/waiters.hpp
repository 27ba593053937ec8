#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "drover/engine/engine.hpp"

namespace drover::engine {

// A worker's poll that found nothing yet.
struct Waiter {
  ClaimRequest request;
  SteadyTime deadline;
  // A poll that could not be matched yet (a batch was under way, or keys are being read) does not end before
  // it is matched, nor later than this.
  SteadyTime patience;
  Done<ClaimAnswer> done;
  // An attempt that was handed out under the same nonce is being given back: what the poll gets is known when
  // that is done, and nothing is matched for it before.
  bool held = false;
};

// The polls that wait, one a worker, by queue: a queue that nobody waits for costs nothing. The engine's
// thread alone.
class Waiters {
 public:
  // Takes the place of the worker's earlier one, which the caller has taken out.
  void add(WorkerId worker, Waiter waiter, const std::vector<std::string>& queues);
  [[nodiscard]] std::optional<Waiter> take(WorkerId worker);
  [[nodiscard]] const Waiter* of(WorkerId worker) const;
  // The worker's poll was matched with what is ready: from now on it ends at its deadline.
  void matched(WorkerId worker);
  [[nodiscard]] std::vector<WorkerId> unmatched() const { return {unmatched_.begin(), unmatched_.end()}; }
  // The worker serves other queues from now on.
  void serve(WorkerId worker, const std::vector<std::string>& queues);
  // Those who wait for one of these queues.
  [[nodiscard]] const std::map<std::string, std::set<WorkerId>, std::less<>>& by_queue() const {
    return by_queue_;
  }
  [[nodiscard]] std::vector<WorkerId> held() const;
  // When the first of them ends.
  [[nodiscard]] std::optional<SteadyTime> first_end() const;
  // A worker whose poll ends by now.
  [[nodiscard]] std::optional<WorkerId> overdue(SteadyTime now) const;
  // All of them, taken out.
  [[nodiscard]] std::vector<Waiter> take_all();

 private:
  struct Entry {
    Waiter waiter;
    std::vector<std::string> queues;
    SteadyTime end;
  };
  void unlist(WorkerId worker, const Entry& entry);

  std::map<WorkerId, Entry> entries_;
  std::map<std::string, std::set<WorkerId>, std::less<>> by_queue_;
  std::set<std::pair<SteadyTime, WorkerId>> ends_;
  std::set<WorkerId> unmatched_;
  std::set<WorkerId> held_;
};

}  // namespace drover::engine
