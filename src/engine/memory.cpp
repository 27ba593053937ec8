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
  for (const std::string& queue : row.queues) queues.try_emplace(queue);  // known, so rescanned
  const auto [found, is_new] = workers.try_emplace(row.id);
  if (is_new) found->second.idle_since = now;
  found->second.row = std::move(row);
}

void Memory::apply(const ports::Command& command, const ports::Applied& applied, SteadyTime now) {
  std::visit([&](const auto& specific) { on(specific, applied, now); }, command);
}

void Memory::on(const ports::InsertJobs& command, const ports::Applied&, SteadyTime) {
  jobs_submitted += static_cast<std::int64_t>(command.jobs.size());
  for (const ports::NewJob& job : command.jobs) {
    if (job.spec.hold) continue;
    const bool later = job.spec.run_at && *job.spec.run_at > job.created;
    queued_again({job.spec.queue, {-job.spec.priority, job.number.value}},
                 later ? job.spec.run_at : std::nullopt);
  }
}

void Memory::on(const ports::ClaimJob&, const ports::Applied& applied, SteadyTime now) {
  const ports::OpenAttempt& attempt = std::get<ports::Claimed>(applied).attempt;
  --queues[attempt.queue].ready;
  open(attempt, now, attempt.alone);
}

void Memory::on(const ports::EndAttempt& command, const ports::Applied& applied, SteadyTime now) {
  const auto& ended = std::get<ports::Ended>(applied);
  if (ended.repeated) return;
  ++attempts_ended;
  close(command.job, now);
  if (ended.state == core::JobState::queued) {
    queued_again({ended.queue, ended.key, command.disposition.alone > Seconds{0}}, ended.wake_at);
  }
}

void Memory::on(const ports::ChangeJob& command, const ports::Applied& applied, SteadyTime) {
  const auto& changed = std::get<ports::Changed>(applied);
  if (!changed.changed) return;
  if (Lease* held = lease(command.job)) {
    if (changed.wanted) held->attempt.wanted = *changed.wanted;
    return;
  }
  if (changed.was_ready) {
    (changed.suspect ? suspects : ready).remove(changed.queue, changed.key);
    --queues[changed.queue].ready;
  }
  if (changed.after == core::JobState::queued) {
    queued_again({changed.queue, changed.key, changed.suspect}, changed.wake_at);
  }
}

void Memory::on(const ports::WakeJobs&, const ports::Applied& applied, SteadyTime) {
  const auto& woken = std::get<ports::Woken>(applied);
  for (const ports::ReadyJob& job : woken.ready) add_ready(job);
  next_wake = woken.next;
}

void Memory::on(const ports::PutArtifact& command, const ports::Applied&, SteadyTime) {
  if (command.name != ports::kCheckpointName) return;
  if (Lease* held = lease(command.job)) {
    held->attempt.has_checkpoint = true;
    held->attempt.checkpoint_attempt = command.attempt;
  }
}

void Memory::on(const ports::InsertLaunch&, const ports::Applied&, SteadyTime) {}

void Memory::on(const ports::RecordLaunch&, const ports::Applied& applied, SteadyTime now) {
  if (const auto* added = std::get_if<ports::WorkersAdded>(&applied)) {
    for (const ports::WorkerRow& row : added->workers) put_worker(row, now);
  }
}

void Memory::on(const ports::RegisterWorker&, const ports::Applied& applied, SteadyTime now) {
  const ports::WorkerRow& row = std::get<ports::WorkerChanged>(applied).worker;
  put_worker(row, now);
  if (Worker* registered = worker(row.id)) {
    registered->heard = now;
    registered->idle_since = now;
  }
}

void Memory::on(const ports::ChangeWorker&, const ports::Applied& applied, SteadyTime now) {
  put_worker(std::get<ports::WorkerChanged>(applied).worker, now);
}

void Memory::on(const ports::TouchWorkers& command, const ports::Applied&, SteadyTime) {
  for (const auto& [id, seen] : command.last_seen) {
    Worker* touched = worker(id);
    if (touched != nullptr && touched->unflushed_seen == seen) touched->unflushed_seen.reset();
  }
}

void Memory::on(const ports::PutPool&, const ports::Applied& applied, SteadyTime) {
  const ports::PoolRow& pool = std::get<ports::PoolPut>(applied).pool;
  pools.insert_or_assign(pool.id, pool);
  for (auto& [id, member] : workers) {
    if (member.row.pool == pool.id) member.row.queues = core::queues_of(pool.spec);
  }
}

void Memory::on(const ports::SetPaused& command, const ports::Applied&, SteadyTime) {
  paused = command.paused;
}

void Memory::on(const ports::PutSettings& command, const ports::Applied&, SteadyTime) {
  for (const auto& [key, text] : command.values) {
    // Validated before it was queued; a refusal here means that validation and this table disagree.
    if (const Status set = core::set_tunable(tunables, key, text); !set) {
      log_error("setting {} was stored but not taken: {}", key, set.error().message);
    }
  }
  // Two changes that are right alone may be committed together.
  if (const auto said = core::settle_tunables(tunables)) log_warn("two changes of the settings: {}", *said);
}

}  // namespace drover::engine
