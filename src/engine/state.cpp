#include "state.hpp"

#include <algorithm>

#include "drover/base/log.hpp"

namespace drover::engine {

void State::boot(ports::BootState state, SteadyTime now, WallTime wall) {
  *this = State();
  deployment = state.deployment;
  deployment_secret = std::move(state.deployment_secret);
  epoch = state.epoch;
  paused = state.paused;
  next_wake = state.next_wake;
  for (const auto& [key, text] : state.settings) {
    if (const Status set = core::set_tunable(tunables, key, text); !set.ok()) {
      log_warn("tunable {} in the database is ignored: {}", key, set.error().message);
    }
  }
  if (const auto said = core::settle_tunables(tunables)) log_warn("the tunables in the database: {}", *said);
  for (ports::PoolRow& pool : state.pools) {
    serve_queues(core::queues_of(pool.spec));
    pools.emplace(pool.id, std::move(pool));
  }
  for (ports::WorkerRow& row : state.workers) put_worker(std::move(row), now);
  for (ports::OpenAttempt& attempt : state.open) {
    const SteadyTime::duration left = attempt.alone - (wall - attempt.started);
    const SteadyTime::duration whole = attempt.alone;
    accounts.found_leased(attempt.queue);
    open(std::move(attempt), now, std::clamp(left, SteadyTime::duration{0}, whole));
  }
}

// Until the jobs are counted, any number of jobs may be ready in a queue: its keys are read.
void State::serve_queues(const std::vector<std::string>& queues) {
  if (!accounts.counting()) return;
  for (const std::string& queue : queues) restart(queue);
}

void State::restart(const std::string& queue) {
  ready.restart(queue);
  suspects.restart(queue);
}

bool State::may_have_work(const std::string& queue) const {
  if (!accounts.counting()) return accounts.of(queue).unserved() > 0;
  const std::span<const std::string> one(&queue, 1);
  return waiting_in_memory(queue) > 0 || ready.needs_refill(one) || suspects.needs_refill(one);
}

std::int64_t State::waiting_in_memory(const std::string& queue) const {
  return static_cast<std::int64_t>(ready.size(queue) + suspects.size(queue));
}

Worker* State::worker(WorkerId id) {
  const auto found = workers.find(id);
  return found == workers.end() ? nullptr : &found->second;
}

Lease* State::lease(JobNumber job) {
  const auto found = leases.find(job);
  return found == leases.end() ? nullptr : &found->second;
}

Lease* State::lease(JobNumber job, int attempt) {
  Lease* held = lease(job);
  return held != nullptr && held->attempt.attempt == attempt ? held : nullptr;
}

Lease* State::fenced_lease(const AttemptRef& ref) {
  Lease* held = lease(ref.job, ref.attempt);
  return held != nullptr && ref.token.is(held->attempt.token_hash) ? held : nullptr;
}

bool State::runs_alone(const Worker& worker, SteadyTime now) const {
  return worker.claiming_alone || std::any_of(worker.jobs.begin(), worker.jobs.end(), [&](JobNumber job) {
           const auto found = leases.find(job);
           return found != leases.end() && found->second.alone_until > now;
         });
}

void State::add_ready(const ports::ReadyJob& job) {
  index(job.suspect).add(job.queue, job.key);
  accounts.became_ready(job.queue);
}

void State::queued_again(const ports::ReadyJob& job, std::optional<WallTime> wake_at) {
  if (!wake_at) {
    add_ready(job);
  } else if (!next_wake || *wake_at < *next_wake) {
    next_wake = wake_at;
  }
}

void State::open(ports::OpenAttempt attempt, SteadyTime now, SteadyTime::duration alone) {
  if (Worker* owner = worker(attempt.worker)) owner->jobs.insert(attempt.job);
  const JobNumber job = attempt.job;
  core::LeaseTerm term;
  term.delivery = epoch << 32;  // so that no answer of an earlier term is taken for one of this
  Lease lease{std::move(attempt), core::handed_out(term, now, tunables)};
  lease.alone_until = now + alone;
  leases.insert_or_assign(job, std::move(lease));
}

void State::close(JobNumber job, SteadyTime now) {
  const auto found = leases.find(job);
  if (found == leases.end()) return;
  accounts.lease_ended(found->second.attempt.queue);
  if (Worker* owner = worker(found->second.attempt.worker)) {
    owner->jobs.erase(job);
    if (owner->jobs.empty()) owner->idle_since = now;
  }
  leases.erase(found);
}

void State::put_worker(ports::WorkerRow row, SteadyTime now) {
  if (row.state == core::WorkerState::gone) {
    workers.erase(row.id);
    return;
  }
  const auto [found, is_new] = workers.try_emplace(row.id);
  if (is_new) found->second.idle_since = now;
  found->second.row = std::move(row);
}

void State::stood_still(SteadyTime::duration time) {
  for (auto& [job, lease] : leases) {
    lease.term.deadline += time;
    if (lease.heard_meanwhile) *lease.heard_meanwhile += time;
  }
  for (auto& [id, worker] : workers) {
    if (worker.heard) *worker.heard += time;
  }
}

}  // namespace drover::engine
