// Waiters, matching of ready jobs to them, and leases.
#include <algorithm>
#include <utility>

#include "drover/base/log.hpp"
#include "drover/ports/tokens.hpp"

#include "engine_impl.hpp"

namespace drover::engine {

void Engine::Impl::do_claim(ClaimRequest request, Done<ClaimAnswer> done) {
  if (const Status known = check_auth(request.auth); !known) {
    done(known.error());
    return;
  }
  Worker& worker = *memory_.worker(request.auth.worker);
  worker.asked = clock_.steady();
  ClaimAnswer answer;
  answer.drain = worker.row.state != core::WorkerState::active;
  // The reply to an earlier try was lost: the same attempts again.
  for (const JobNumber job : worker.jobs) {
    Lease& lease = *memory_.lease(job);
    if (lease.attempt.nonce != request.nonce) continue;
    lease.term = core::handed_out(lease.term, clock_.steady(), memory_.tunables);
    answer.jobs.push_back(claimed_job(lease.attempt, lease.term.delivery, request));
  }
  if (!answer.jobs.empty() || answer.drain) {
    done(std::move(answer));
    return;
  }
  const WorkerId id = request.auth.worker;
  end_waiter(id, ClaimAnswer{});  // an earlier poll of this worker is over
  // A poll that does not wait has its deadline at once: it is matched once, then answered.
  const SteadyTime deadline = clock_.steady() + std::clamp(request.wait, Seconds{0}, limits::kLongPoll);
  waiters_.emplace(id, Waiter{std::move(request), deadline, std::move(done)});
}

ClaimedJob Engine::Impl::claimed_job(const ports::OpenAttempt& attempt, std::int64_t delivery,
                                     const ClaimRequest& request) const {
  return {attempt,
          Secret(ports::attempt_token(request.auth.token, request.nonce, attempt.job, attempt.attempt)),
          memory_.tunables.max_log_bytes, delivery};
}

void Engine::Impl::end_waiter(WorkerId worker, ClaimAnswer answer) {
  const auto found = waiters_.find(worker);
  if (found == waiters_.end()) return;
  const Waiter waiter = std::move(found->second);
  waiters_.erase(found);
  waiter.done(std::move(answer));
}

void Engine::Impl::expire_waiters() {
  const SteadyTime now = clock_.steady();
  std::vector<std::pair<WorkerId, bool>> over;
  for (const auto& [id, waiter] : waiters_) {
    const Worker* worker = memory_.worker(id);
    const bool drain = worker == nullptr || worker->row.state != core::WorkerState::active;
    if (drain || waiter.deadline <= now) over.emplace_back(id, drain);
  }
  for (const auto& [id, drain] : over) end_waiter(id, ClaimAnswer{{}, drain});
}

bool Engine::Impl::refill(const std::vector<std::string>& queues) {
  return refill(memory_.suspects, queues) && refill(memory_.ready, queues);
}

bool Engine::Impl::refill(core::ReadyIndex& index, const std::vector<std::string>& queues) {
  const bool suspects = &index == &memory_.suspects;
  while (const auto name = index.needs_refill(queues)) {
    const auto limit = static_cast<int>(limits::kRefillKeys);
    const auto keys = session_->ready_after(*name, index.cursor(*name), limit, suspects);
    if (!keys) return false;
    const bool exhausted = std::cmp_less(keys->size(), limit);
    index.refill(*name, *keys, exhausted);
    if (suspects) continue;
    // All of the queue is in memory now: rows that were changed by hand are counted right again.
    QueueCount& queue = memory_.queues[*name];
    const auto known =
        static_cast<std::int64_t>(memory_.ready.size(*name) + memory_.suspects.size(*name)) + queue.in_flight;
    if (exhausted || known > queue.ready) queue.ready = known;
  }
  return true;
}

bool Engine::Impl::match() {
  if (memory_.paused || !memory_.has_unserved()) return true;
  // The busiest with room first, so that idle workers stay idle and can be scaled in.
  std::vector<std::pair<int, WorkerId>> order;
  for (const auto& [id, waiter] : waiters_) {
    const Worker* worker = memory_.worker(id);
    if (worker == nullptr || worker->row.state != core::WorkerState::active) continue;
    order.emplace_back(-static_cast<int>(worker->jobs.size()) - worker->claiming, id);
  }
  std::sort(order.begin(), order.end());
  for (const auto& [busy, id] : order) {
    const Worker& worker = *memory_.worker(id);
    const auto found = waiters_.find(id);
    if (!found->second.request.open()) {
      end_waiter(id, ClaimAnswer{});  // nobody is there to take a job
      continue;
    }
    if (!refill(worker.row.queues)) return false;
    const int room = std::min(found->second.request.slots, worker.row.slots + busy);
    const core::Offer offer = offer_to(worker);
    if (room <= 0 || offer == core::Offer::nothing) continue;
    const bool suspect = offer == core::Offer::suspect;
    Waiter waiter = std::move(found->second);
    waiters_.erase(found);
    stage_claims(std::move(waiter), suspect ? 1 : room, suspect);
  }
  return true;
}

void Engine::Impl::stage_claims(Waiter waiter, int room, bool suspect) {
  const WorkerId id = waiter.request.auth.worker;
  Worker& worker = *memory_.worker(id);
  const std::vector<std::string> queues = worker.row.queues;
  core::ReadyIndex& index = suspect ? memory_.suspects : memory_.ready;
  auto group = std::make_shared<ClaimGroup>();
  group->waiter = std::move(waiter);
  if (suspect) waiting_suspects_.erase(index.best(queues)->first);
  for (; room > 0; --room) {
    const auto best = index.best(queues);
    if (!best) break;
    index.remove(best->first, best->second);
    ++memory_.queues[best->first].in_flight;
    ++group->outstanding;
    ++worker.claiming;
    worker.claiming_alone = suspect;
    const JobNumber job{best->second.number};
    const ClaimRequest& request = group->waiter.request;
    ports::ClaimJob claim{job, id, request.nonce, request.auth.token, clock_.wall()};
    committer_.add(work_of<ports::ClaimJob>(
        claim.keys(),
        [this, claim, of = ports::ReadyJob{best->first, best->second, suspect}] {
          return make_claim(claim, of);
        },
        [this, group, id, queue = best->first](const Result<ports::ClaimJob::Answer>& claimed) {
          take_claim(*group, id, queue, claimed);
          if (group->outstanding == 0) answer_group(group);
        }));
  }
  if (group->outstanding == 0) answer_group(group);
}

// One claim of the group was committed or refused.
void Engine::Impl::take_claim(ClaimGroup& group, WorkerId id, const std::string& queue,
                              const Result<ports::ClaimJob::Answer>& claimed) {
  QueueCount& count = memory_.queues[queue];
  count.in_flight = std::max<std::int64_t>(0, count.in_flight - 1);
  --group.outstanding;
  if (Worker* by = memory_.worker(id)) {
    by->claiming = std::max(0, by->claiming - 1);
    by->claiming_alone = false;
  }
  if (!claimed) return;
  const ports::OpenAttempt& attempt = claimed->attempt;
  // Of a batch whose fate was in doubt memory knows nothing: then this is how it was handed out first.
  const Lease* lease = memory_.lease(attempt.job);
  const bool known = lease != nullptr && lease->attempt.attempt == attempt.attempt;
  group.answer.jobs.push_back(claimed_job(attempt, known ? lease->term.delivery : 1, group.waiter.request));
}

void Engine::Impl::answer_group(const std::shared_ptr<ClaimGroup>& group) {
  Waiter& waiter = group->waiter;
  const WorkerId id = waiter.request.auth.worker;
  const bool waits = session_ && waiter.deadline > clock_.steady() && memory_.worker(id) != nullptr;
  if (group->answer.jobs.empty() && waits && !waiters_.contains(id)) {
    waiters_.emplace(id, std::move(waiter));  // what it was to get is gone: it goes on waiting
    return;
  }
  waiter.done(std::move(group->answer));
}

// Asked again when its turn comes: meanwhile the same attempt may have been handed out once more.
void Engine::Impl::do_unclaim(const std::vector<Delivery>& deliveries) {
  for (const Delivery& delivery : deliveries) {
    auto make = [this, delivery]() -> Result<std::optional<ports::EndAttempt>> {
      const Lease* lease = memory_.lease(delivery.job);
      if (lease == nullptr || lease->attempt.attempt != delivery.attempt ||
          !core::may_give_back(lease->term, delivery.serial)) {
        return std::optional<ports::EndAttempt>();
      }
      return std::optional(make_end(*lease, core::Outcome::returned,
                                    "the claim's answer could not be delivered", {.undelivered = true}));
    };
    committer_.add(
        work_of<ports::EndAttempt>(ports::key_of(delivery.job), std::move(make), [](const auto&) {}));
  }
}

void Engine::Impl::expire_leases() {
  const SteadyTime now = clock_.steady();
  std::optional<bool> with_many;  // asked once, if at all
  for (auto& [job, lease] : memory_.leases) {
    if (lease.ending) continue;
    const core::LeaseVerdict verdict = core::judge_lease(lease.term, now);
    if (verdict == core::LeaseVerdict::stands) continue;
    Break broken = break_of(lease);
    core::Outcome outcome = outcome_of_broken(lease.attempt.worker);
    std::string reason;
    switch (verdict) {
      case core::LeaseVerdict::stands:
        continue;
      case core::LeaseVerdict::silent:
        reason = "no heartbeat for " + std::to_string(memory_.tunables.lease_s) + " s";
        broken.silent = memory_.lease_term() + (now - lease.term.deadline);
        if (!with_many) with_many = many_are_silent();
        broken.with_many = *with_many;
        break;
      case core::LeaseVerdict::dropped:
        reason = "the worker lives but no longer runs it";
        break;
      case core::LeaseVerdict::returned:
        reason = "the worker lives and never had it";
        if (core::outcome_of_unlisted(lease.attempt.returns) == core::Outcome::returned)
          outcome = core::Outcome::returned;
        break;
    }
    lease.ending = true;
    log_warn("job {} attempt {} on worker {}: {}", job.value, lease.attempt.attempt,
             lease.attempt.worker.value, reason);
    if (outcome == core::Outcome::infra) tell_neighbours(lease);
    stage_end(job, lease.attempt.attempt, outcome, reason, broken, [this, job](const Status& ended) {
      Lease* still = memory_.lease(job);
      if (!ended && still != nullptr) still->ending = false;  // tried again at the next sweep
    });
  }
}

void Engine::Impl::announce_demand() {
  for (auto& [name, queue] : memory_.queues) {
    const std::int64_t unserved = queue.ready - queue.in_flight;
    if (unserved <= 0) {
      queue.announced = 0;
    } else if (unserved > 2 * queue.announced) {
      // First work, or twice what the reconciler was last told: often enough to grow in time, and not for
      // every job.
      queue.announced = unserved;
      hook_due_ = true;
    }
  }
  if (!hook_due_) return;
  hook_due_ = false;
  std::function<void()> hook;
  {
    const std::lock_guard lock(mutex_);
    hook = hook_;
  }
  if (hook) hook();
}

}  // namespace drover::engine
