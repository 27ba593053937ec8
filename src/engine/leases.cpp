#include "leases.hpp"

#include <memory>
#include <utility>

#include "drover/base/log.hpp"
#include "drover/core/worker/machine_end.hpp"

#include "changes/calls.hpp"
#include "suspects.hpp"
#include "worker_tokens.hpp"

namespace drover::engine {
Error stale_attempt(const AttemptRef& ref) {
  return stale("attempt " + std::to_string(ref.attempt) + " of job " + std::to_string(ref.job.value) +
               " is not open, or the token is another's");
}

Status check_auth(Parts& parts, const WorkerAuth& auth) {
  Worker* worker = parts.state.worker(auth.worker);
  if (worker == nullptr || !worker->row.registered || !auth.token.is(worker->row.token_hash))
    return unknown_worker();
  worker->heard = parts.clock.steady();
  worker->unflushed_seen = parts.clock.wall();
  return Ok{};
}

void renew(Parts& parts, Lease& lease) {
  const SteadyTime now = parts.clock.steady();
  if (lease.end_sent) {
    lease.heard_meanwhile = now;
  } else {
    lease.term = core::listed(lease.term, now, parts.state.tunables);
  }
}

// Renews the leases in any case, but answers from memory only while no other daemon can lead.
void hear_heartbeat(Parts& parts, const Heartbeat& heartbeat, const Done<HeartbeatAnswer>& done) {
  if (const Status known = check_auth(parts, heartbeat.auth); !known.ok()) {
    done(known.error());
    return;
  }
  State& state = parts.state;
  const SteadyTime now = parts.clock.steady();
  Worker& worker = *state.worker(heartbeat.auth.worker);
  HeartbeatAnswer answer;
  answer.interval_s = state.tunables.heartbeat_interval_s;
  std::set<JobNumber> listed;
  for (const AttemptRef& ref : heartbeat.attempts) {
    Lease* lease = state.fenced_lease(ref);
    if (lease == nullptr || lease->attempt.worker != worker.row.id) {
      answer.stop.push_back(AttemptRef{ref.job, ref.attempt, {}});
      continue;
    }
    listed.insert(ref.job);
    renew(parts, *lease);
    if (lease->end_sent) continue;  // its end is with the writer; the next heartbeat is told
    if (lease->attempt.wanted != core::JobState::running)
      answer.stop.push_back(AttemptRef{ref.job, ref.attempt, {}});
  }
  for (const JobNumber job : worker.jobs) {
    Lease* lease = state.lease(job);
    if (!listed.contains(job)) lease->term = core::left_out(lease->term, now, state.tunables);
  }
  if (heartbeat.notice) take_notice(parts, worker, *heartbeat.notice);
  answer.drain = heartbeat.notice || worker.row.state != core::WorkerState::active;
  if (const Status trusted = parts.term.trusted(now); !trusted.ok()) {
    done(trusted.error());
  } else {
    done(std::move(answer));
  }
}

void take_notice(Parts& parts, const Worker& worker, const std::string& notice) {
  if (worker.row.notice_until) return;
  log_info("worker {} has an interruption notice: {}", worker.row.instance_id, notice);
  const WallTime now = parts.clock.wall();
  parts.pipeline.add(work_of<ports::MoveWorker>(
      ports::MoveWorker{worker.row.id, core::WorkerMove::notice, "interruption notice: " + notice, now,
                        core::notice_end(notice, now)},
      [](const auto&) {}));
}

// A worker that is not in memory is gone, and whether its end was announced is not known any more.
core::Outcome outcome_of_broken(Parts& parts, WorkerId id) {
  const Worker* worker = parts.state.worker(id);
  if (worker == nullptr) return core::Outcome::infra;
  return core::outcome_of_broken_worker(worker->row.state, worker->row.notice_until.has_value());
}

void check_attempt(Parts& parts, const WorkerAuth& auth, const AttemptRef& attempt,
                   const Done<ports::OpenAttempt>& done) {
  if (parts.state.worker(auth.worker) != nullptr) {
    if (const Status known = check_auth(parts, auth); !known.ok()) {
      done(known.error());
      return;
    }
  }
  if (const Status trusted = parts.term.trusted(parts.clock.steady()); !trusted.ok()) {
    done(trusted.error());
    return;
  }
  Lease* lease = parts.state.fenced_lease(attempt);
  if (lease == nullptr || lease->attempt.worker != auth.worker) {
    done(stale_attempt(attempt));
    return;
  }
  lease->term.heard_of = true;
  done(lease->attempt);
}

// Decided when the batch is formed: the attempt may have been handed out again meanwhile.
void give_back(Parts& parts, const std::vector<Delivery>& deliveries) {
  for (const Delivery& delivery : deliveries) {
    auto make = [&parts, delivery]() -> Result<std::optional<ports::EndAttempt>> {
      Lease* lease = parts.state.lease(delivery.job, delivery.attempt);
      if (lease == nullptr || !core::may_give_back(lease->term, delivery.serial))
        return std::optional<ports::EndAttempt>();
      return std::optional(make_end(parts, *lease, core::Outcome::returned,
                                    "the claim's answer could not be delivered", {.undelivered = true}));
    };
    parts.pipeline.add(
        work_of<ports::EndAttempt>(ports::key_of(delivery.job), std::move(make),
                                   [&parts, delivery](const Result<ports::EndAttempt::Answer>& ended) {
                                     if (!ended.ok()) end_refused(parts, delivery.job, delivery.attempt);
                                   }));
  }
}

namespace {

struct Expiry {
  core::Outcome outcome = core::Outcome::infra;
  std::string reason;
  Break broken;
};

// nullopt: the lease stands.
std::optional<Expiry> judge(Parts& parts, const Lease& lease) {
  const SteadyTime now = parts.clock.steady();
  const core::LeaseVerdict verdict = core::judge_lease(lease.term, now);
  if (verdict == core::LeaseVerdict::stands) return std::nullopt;
  Expiry out{outcome_of_broken(parts, lease.attempt.worker), "", break_of(parts, lease)};
  switch (verdict) {
    case core::LeaseVerdict::stands:
      break;
    case core::LeaseVerdict::silent:
      out.reason = "no heartbeat for " + std::to_string(parts.state.tunables.lease_s) + " s";
      out.broken.silent = parts.state.lease_term() + (now - lease.term.deadline);
      out.broken.with_many = many_are_silent(parts);
      break;
    case core::LeaseVerdict::dropped:
      out.reason = "the worker lives but no longer runs it";
      break;
    case core::LeaseVerdict::returned:
      out.reason = "the worker lives and never had it";
      if (core::outcome_of_unlisted(lease.attempt.returns) == core::Outcome::returned)
        out.outcome = core::Outcome::returned;
      break;
  }
  return out;
}

void stage_expiry(Parts& parts, JobNumber job, int attempt) {
  auto make = [&parts, job, attempt]() -> Result<std::optional<ports::EndAttempt>> {
    Lease* lease = parts.state.lease(job, attempt);
    if (lease == nullptr) return std::optional<ports::EndAttempt>();  // it has ended meanwhile
    lease->end_staged = false;
    const auto expiry = judge(parts, *lease);
    if (!expiry) return std::optional<ports::EndAttempt>();  // the worker was heard meanwhile
    log_warn("job {} attempt {} on worker {}: {}", job.value, attempt, lease->attempt.worker.value,
             expiry->reason);
    if (expiry->outcome == core::Outcome::infra) tell_neighbours(parts, *lease);
    return std::optional(make_end(parts, *lease, expiry->outcome, expiry->reason, expiry->broken));
  };
  parts.pipeline.add(
      work_of<ports::EndAttempt>(ports::key_of(job), std::move(make),
                                 [&parts, job, attempt](const Result<ports::EndAttempt::Answer>& ended) {
                                   if (!ended.ok())
                                     end_refused(parts, job, attempt);  // tried again at the next sweep
                                 }));
}

}  // namespace

void expire_leases(Parts& parts) {
  const SteadyTime now = parts.clock.steady();
  for (auto& [job, lease] : parts.state.leases) {
    if (lease.end_staged || lease.end_sent) continue;
    if (core::judge_lease(lease.term, now) == core::LeaseVerdict::stands) continue;
    lease.end_staged = true;
    stage_expiry(parts, job, lease.attempt.attempt);
  }
}

void lose_worker(Parts& parts, WorkerId id, core::Outcome outcome, const std::string& reason, bool with_many,
                 const Done<Ok>& done) {
  const Worker* worker = parts.state.worker(id);
  if (worker == nullptr) {
    done(Ok{});
    return;
  }
  // The notice may have come after the look at the fleet by which the loss was judged.
  if (worker->row.notice_until) outcome = core::Outcome::interruption;
  struct Pending {
    std::size_t ends = 0;
    std::optional<Error> failed;
  };
  auto pending = std::make_shared<Pending>();
  auto finish = [&parts, id, reason, done, pending] {
    if (pending->failed) {
      done(*pending->failed);
      return;
    }
    parts.pipeline.add(
        work_of<ports::MoveWorker>(ports::MoveWorker{id, core::WorkerMove::gone, reason, parts.clock.wall()},
                                   [done](const Result<ports::MoveWorker::Answer>& moved) {
                                     done(moved.ok() ? Result<Ok>(Ok{}) : Result<Ok>(moved.error()));
                                   }));
  };
  const std::vector<JobNumber> jobs(worker->jobs.begin(), worker->jobs.end());
  pending->ends = jobs.size();
  if (jobs.empty()) finish();
  for (const JobNumber job : jobs) {
    const Lease& lease = *parts.state.lease(job);
    Break broken = break_of(parts, lease);
    broken.with_many = with_many;
    stage_end(parts, job, lease.attempt.attempt, outcome, reason, broken,
              [pending, finish](const Status& ended) {
                if (!ended.ok()) pending->failed = ended.error();
                if (--pending->ends == 0) finish();
              });
  }
}

}  // namespace drover::engine
