#include "accounts.hpp"

#include <iterator>
#include <utility>

#include "drover/base/check.hpp"
#include "drover/base/log.hpp"

namespace drover::engine {

void Accounts::counted(Queues::iterator queue) {
  Queue& q = queue->second;
  DROVER_CHECK(q.claiming >= 0, "fewer than no claims are under way");
  DROVER_CHECK(q.leased >= 0, "fewer than no leases are open");
  DROVER_CHECK(counting_ || q.ready >= q.claiming, "more jobs are being claimed than are ready");
  if (q.unserved() <= 0) {
    q.announced = 0;
  } else if (q.unserved() > 2 * q.announced) {
    // Often enough for the fleet to grow in time, and not for every job.
    q.announced = q.unserved();
    grown_ = true;
  }
  if (q.ready == 0 && q.claiming == 0 && q.leased == 0) queues_.erase(queue);
}

void Accounts::became_ready(const std::string& queue, std::int64_t jobs) {
  if (jobs == 0) return;
  const auto found = queues_.try_emplace(queue).first;
  found->second.ready += jobs;
  counted(found);
}

void Accounts::no_longer_ready(const std::string& queue) {
  const auto found = queues_.try_emplace(queue).first;
  --found->second.ready;
  counted(found);
}

void Accounts::claim_begins(const std::string& queue) {
  const auto found = queues_.try_emplace(queue).first;
  ++found->second.claiming;
  counted(found);
}

void Accounts::claim_refused(const std::string& queue) {
  const auto found = queues_.try_emplace(queue).first;
  --found->second.claiming;
  counted(found);
}

void Accounts::claimed(const std::string& queue) {
  const auto found = queues_.try_emplace(queue).first;
  --found->second.claiming;
  --found->second.ready;
  ++found->second.leased;
  counted(found);
}

void Accounts::found_leased(const std::string& queue) {
  const auto found = queues_.try_emplace(queue).first;
  ++found->second.leased;
  counted(found);
}

void Accounts::lease_ended(const std::string& queue) {
  const auto found = queues_.try_emplace(queue).first;
  --found->second.leased;
  counted(found);
}

void Accounts::found_ready(const std::string& queue, std::int64_t ready) {
  const auto found = queues_.try_emplace(queue).first;
  if (found->second.ready != ready) {
    log_info("queue {}: the store has {} ready jobs where {} were counted", queue, ready,
             found->second.ready);
    found->second.ready = ready;
  }
  counted(found);
}

void Accounts::count_begins() {
  for (auto queue = queues_.begin(); queue != queues_.end();) {
    const auto next = std::next(queue);
    DROVER_CHECK(queue->second.claiming == 0, "a count begins while claims are under way");
    queue->second.ready = 0;
    counted(queue);
    queue = next;
  }
}

void Accounts::count_ends(const std::vector<ports::QueueDepth>& depths) {
  for (const ports::QueueDepth& depth : depths) queues_[depth.queue].ready += depth.ready;
  counting_ = false;
  for (auto queue = queues_.begin(); queue != queues_.end();) {
    const auto next = std::next(queue);
    counted(queue);
    queue = next;
  }
}

Accounts::Queue Accounts::of(const std::string& queue) const {
  const auto found = queues_.find(queue);
  return found == queues_.end() ? Queue{} : found->second;
}

bool Accounts::take_growth() {
  return std::exchange(grown_, false);
}

}  // namespace drover::engine
