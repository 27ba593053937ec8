#include "accounts.hpp"

#include <iterator>
#include <utility>

#include "drover/base/check.hpp"
#include "drover/base/log.hpp"

namespace drover::engine {

void Accounts::counted(Queues::iterator queue, const Queue& before) {
  Queue& q = queue->second;
  sum_.ready += q.ready - before.ready;
  sum_.leased += q.leased - before.leased;
  if (q.length() != before.length()) {
    auto place = by_length_.extract({-before.length(), queue->first});
    DROVER_CHECK(place, "a queue has no place among the others");
    place.value().first = -q.length();
    by_length_.insert(std::move(place));
  }
  DROVER_CHECK(q.claiming >= 0, "fewer than no claims are under way");
  DROVER_CHECK(q.leased >= 0, "fewer than no leases are open");
  DROVER_CHECK(counting_ || q.ready >= q.claiming, "more jobs are being claimed than are ready");
  if (q.unserved() <= 0) {
    q.announced = 0;
  } else if (q.unserved() > 2 * q.announced) {
    // The reconciler is told each time that the work doubles: early enough for the fleet to grow in time, and
    // not for every job.
    q.announced = q.unserved();
    grown_ = true;
  }
  if (q.ready == 0 && q.claiming == 0 && q.leased == 0) {
    by_length_.erase({0, queue->first});
    queues_.erase(queue);
  }
}

template <class F>
void Accounts::change(const std::string& queue, F&& how) {
  const auto [found, is_new] = queues_.try_emplace(queue);
  if (is_new) by_length_.emplace(0, found->first);
  const Queue before = found->second;
  how(found->second);
  counted(found, before);
}

template <class F>
void Accounts::change_all(F&& how) {
  for (auto queue = queues_.begin(); queue != queues_.end();) {
    const auto next = std::next(queue);
    const Queue before = queue->second;
    how(queue->second);
    counted(queue, before);
    queue = next;
  }
}

void Accounts::became_ready(const std::string& queue, std::int64_t jobs) {
  change(queue, [jobs](Queue& q) { q.ready += jobs; });
}

void Accounts::no_longer_ready(const std::string& queue) {
  change(queue, [](Queue& q) { --q.ready; });
}

void Accounts::claim_begins(const std::string& queue) {
  change(queue, [](Queue& q) { ++q.claiming; });
}

void Accounts::claim_refused(const std::string& queue) {
  change(queue, [](Queue& q) { --q.claiming; });
}

void Accounts::claimed(const std::string& queue) {
  change(queue, [](Queue& q) {
    --q.claiming;
    --q.ready;
    ++q.leased;
  });
}

void Accounts::found_leased(const std::string& queue) {
  change(queue, [](Queue& q) { ++q.leased; });
}

void Accounts::lease_ended(const std::string& queue) {
  change(queue, [](Queue& q) { --q.leased; });
}

void Accounts::found_ready(const std::string& queue, std::int64_t ready) {
  change(queue, [&](Queue& q) {
    if (q.ready == ready) return;
    log_info("queue {}: the store has {} ready jobs where {} were counted", queue, ready, q.ready);
    q.ready = ready;
  });
}

void Accounts::count_begins() {
  change_all([](Queue& q) {
    DROVER_CHECK(q.claiming == 0, "a count begins while claims are under way");
    q.ready = 0;
  });
}

void Accounts::count_ends(const std::vector<ports::QueueDepth>& depths) {
  for (const ports::QueueDepth& depth : depths) became_ready(depth.queue, depth.ready);
  counting_ = false;
  change_all([](Queue&) {});
}

Accounts::Queue Accounts::of(const std::string& queue) const {
  const auto found = queues_.find(queue);
  return found == queues_.end() ? Queue{} : found->second;
}

bool Accounts::take_growth() {
  return std::exchange(grown_, false);
}

}  // namespace drover::engine
