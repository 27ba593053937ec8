#include "memory.hpp"

#include <algorithm>

#include "drover/base/log.hpp"

namespace drover::engine {

void Memory::boot(ports::BootState state, SteadyTime now, WallTime wall) {
  *this = Memory();
  deployment = state.deployment;
  deployment_secret = std::move(state.deployment_secret);
  epoch = state.epoch;
  paused = state.paused;
  next_wake = state.next_wake;
  for (const auto& [key, text] : state.settings) {
    if (const Status set = core::set_tunable(tunables, key, text); !set) {
      log_warn("setting {} in the database is ignored: {}", key, set.error().message);
    }
  }
  if (const auto said = core::settle_tunables(tunables)) log_warn("the settings in the database: {}", *said);
  for (ports::PoolRow& pool : state.pools) pools.emplace(pool.id, std::move(pool));
  for (ports::WorkerRow& row : state.workers) put_worker(std::move(row), now);
  for (const ports::QueueDepth& depth : state.depths) queues[depth.queue].ready = depth.ready;
  for (ports::OpenAttempt& attempt : state.open) {
    const SteadyTime::duration left = attempt.alone - (wall - attempt.started);
    const SteadyTime::duration whole = attempt.alone;
    open(std::move(attempt), now, std::clamp(left, SteadyTime::duration{0}, whole));
  }
}

Worker* Memory::worker(WorkerId id) {
  const auto found = workers.find(id);
  return found == workers.end() ? nullptr : &found->second;
}

Lease* Memory::lease(JobNumber job) {
  const auto found = leases.find(job);
  return found == leases.end() ? nullptr : &found->second;
}

Lease* Memory::fenced_lease(JobNumber job, int attempt, const Sha256& token_hash) {
  Lease* held = lease(job);
  if (held == nullptr || held->attempt.attempt != attempt) return nullptr;
  const auto bytes = [](const Sha256& hash) {
    return std::string_view(reinterpret_cast<const char*>(hash.data()), hash.size());
  };
  return equal_constant_time(bytes(held->attempt.token_hash), bytes(token_hash)) ? held : nullptr;
}

bool Memory::runs_alone(const Worker& worker, SteadyTime now) const {
  return worker.claiming_alone || std::any_of(worker.jobs.begin(), worker.jobs.end(), [&](JobNumber job) {
           const auto found = leases.find(job);
           return found != leases.end() && found->second.alone_until > now;
         });
}

bool Memory::has_unserved() const {
  return std::any_of(queues.begin(), queues.end(),
                     [](const auto& queue) { return queue.second.ready > queue.second.in_flight; });
}

void Memory::add_ready(const ports::ReadyJob& job) {
  (job.suspect ? suspects : ready).add(job.queue, job.key);
  ++queues[job.queue].ready;
}

void Memory::queued_again(const ports::ReadyJob& job, std::optional<WallTime> wake_at) {
  if (!wake_at) {
    add_ready(job);
  } else if (!next_wake || *wake_at < *next_wake) {
    next_wake = wake_at;
  }
}

void Memory::open(ports::OpenAttempt attempt, SteadyTime now, SteadyTime::duration alone) {
  ++queues[attempt.queue].leased;
  if (Worker* owner = worker(attempt.worker)) owner->jobs.insert(attempt.job);
  const JobNumber job = attempt.job;
  Lease lease{std::move(attempt), core::handed_out({}, now, tunables)};
  lease.alone_until = now + alone;
  leases.insert_or_assign(job, std::move(lease));
}

void Memory::close(JobNumber job, SteadyTime now) {
  const auto found = leases.find(job);
  if (found == leases.end()) return;
  --queues[found->second.attempt.queue].leased;
  if (Worker* owner = worker(found->second.attempt.worker)) {
    owner->jobs.erase(job);
    if (owner->jobs.empty()) owner->idle_since = now;
  }
  leases.erase(found);
}

void Memory::put_worker(ports::WorkerRow row, SteadyTime now) {
  if (row.state == core::WorkerState::gone) {
    workers.erase(row.id);
    return;
  }
  const auto [found, is_new] = workers.try_emplace(row.id);
  if (is_new) found->second.idle_since = now;
  found->second.row = std::move(row);
  serve(found->second, found->second.row.queues);
}

void Memory::serve(Worker& worker, std::vector<std::string> names) {
  for (const std::string& name : names) queues.try_emplace(name);
  worker.row.queues = std::move(names);
}

}  // namespace drover::engine
