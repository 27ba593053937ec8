#include "waiters.hpp"

#include <algorithm>

#include "drover/base/check.hpp"

namespace drover::engine {

void Waiters::add(WorkerId worker, Waiter waiter, const std::vector<std::string>& queues) {
  DROVER_CHECK(!entries_.contains(worker), "a worker has two polls");
  const SteadyTime end = std::max(waiter.deadline, waiter.patience);
  ends_.emplace(end, worker);
  unmatched_.insert(worker);
  if (waiter.held) held_.insert(worker);
  for (const std::string& queue : queues) by_queue_[queue].insert(worker);
  entries_.emplace(worker, Entry{std::move(waiter), queues, end});
}

std::optional<Waiter> Waiters::take(WorkerId worker) {
  const auto found = entries_.find(worker);
  if (found == entries_.end()) return std::nullopt;
  unlist(worker, found->second);
  Waiter out = std::move(found->second.waiter);
  entries_.erase(found);
  return out;
}

void Waiters::unlist(WorkerId worker, const Entry& entry) {
  ends_.erase({entry.end, worker});
  unmatched_.erase(worker);
  held_.erase(worker);
  for (const std::string& queue : entry.queues) {
    const auto listed = by_queue_.find(queue);
    if (listed == by_queue_.end()) continue;  // a queue that was named twice
    listed->second.erase(worker);
    if (listed->second.empty()) by_queue_.erase(listed);
  }
}

const Waiter* Waiters::of(WorkerId worker) const {
  const auto found = entries_.find(worker);
  return found == entries_.end() ? nullptr : &found->second.waiter;
}

void Waiters::serve(WorkerId worker, const std::vector<std::string>& queues) {
  if (auto waiter = take(worker)) add(worker, std::move(*waiter), queues);
}

void Waiters::matched(WorkerId worker) {
  if (unmatched_.erase(worker) == 0) return;
  Entry& entry = entries_.find(worker)->second;
  ends_.erase({entry.end, worker});
  entry.end = entry.waiter.deadline;
  ends_.emplace(entry.end, worker);
}

std::vector<WorkerId> Waiters::held() const {
  return {held_.begin(), held_.end()};
}

std::optional<SteadyTime> Waiters::first_end() const {
  return ends_.empty() ? std::nullopt : std::optional(ends_.begin()->first);
}

std::optional<WorkerId> Waiters::overdue(SteadyTime now) const {
  if (ends_.empty() || ends_.begin()->first > now) return std::nullopt;
  return ends_.begin()->second;
}

std::vector<Waiter> Waiters::take_all() {
  std::vector<Waiter> out;
  for (auto& [worker, entry] : entries_) out.push_back(std::move(entry.waiter));
  *this = Waiters();
  return out;
}

}  // namespace drover::engine
