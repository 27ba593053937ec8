#include <algorithm>
#include <utility>

#include "drover/base/log.hpp"

#include "changes/calls.hpp"
#include "changes/define.hpp"
#include "leases.hpp"

namespace drover::engine {

using ports::EndAttempt;

template <>
struct InEngine<EndAttempt> {
  static void remember(State& state, const EndAttempt& end, const EndAttempt::Answer& ended, SteadyTime now) {
    if (ended.repeated) return;
    const core::Disposition& next = *end.disposition;
    if (next.charged && next.state == core::JobState::failed) {
      log_line(LogLevel::warn, "job parked",
               {{"job", std::to_string(end.job.value)}, {"reason", next.reason}});
    }
    ++state.attempts_ended;
    state.close(end.job, now);
    if (ended.state == core::JobState::queued) {
      state.queued_again({ended.queue, ended.key, next.alone > Seconds{0}}, ended.wake_at);
    }
  }
};
DROVER_IN_ENGINE(ports::EndAttempt)

EndAttempt end_of(const ports::OpenAttempt& attempt, core::Outcome outcome, std::string reason,
                  const Break& broken, WallTime now) {
  int infra_workers = static_cast<int>(attempt.infra_workers.size());
  if (outcome == core::Outcome::infra && std::find(attempt.infra_workers.begin(), attempt.infra_workers.end(),
                                                   attempt.worker) == attempt.infra_workers.end()) {
    ++infra_workers;
  }
  core::EndedAttempt ended{outcome, attempt.wanted, attempt.counters, attempt.retry, infra_workers, reason};
  ended.shared = broken.shared;
  ended.with_many = broken.with_many;
  const SteadyTime::duration open = now - attempt.started;
  ended.ran = std::max(open - broken.silent, SteadyTime::duration{0});
  ended.alone = attempt.alone;
  ended.charges = attempt.charges;
  ended.returns = attempt.returns;
  ended.undelivered = broken.undelivered;
  EndAttempt end;
  end.job = attempt.job;
  end.attempt = attempt.attempt;
  end.outcome = outcome;
  end.disposition = core::decide_end(ended);
  end.reason = std::move(reason);
  end.now = now;
  return end;
}

EndAttempt make_end(Parts& parts, Lease& lease, core::Outcome outcome, std::string reason,
                    const Break& broken) {
  lease.end_sent = true;
  return end_of(lease.attempt, outcome, std::move(reason), broken, parts.clock.wall());
}

void end_refused(Parts& parts, JobNumber job, int attempt) {
  Lease* lease = parts.state.lease(job, attempt);
  if (lease == nullptr) return;
  lease->end_sent = false;
  if (const auto heard = std::exchange(lease->heard_meanwhile, std::nullopt))
    lease->term = core::listed(lease->term, *heard, parts.state.tunables);
}

void stage_end(Parts& parts, JobNumber job, int attempt, core::Outcome outcome, const std::string& reason,
               const Break& broken, const std::function<void(const Status&)>& done) {
  auto make = [&parts, job, attempt, outcome, reason, broken, done]() -> Result<std::optional<EndAttempt>> {
    Lease* lease = parts.state.lease(job, attempt);
    if (lease == nullptr) {
      done(Ok{});  // it has ended meanwhile, as was wanted
      return std::optional<EndAttempt>();
    }
    return std::optional(make_end(parts, *lease, outcome, reason, broken));
  };
  auto told = [&parts, job, attempt, done](const Result<EndAttempt::Answer>& ended) {
    if (!ended.ok()) end_refused(parts, job, attempt);
    done(ended.ok() ? Status(Ok{}) : Status(ended.error()));
  };
  parts.pipeline.add(work_of<EndAttempt>(ports::key_of(job), std::move(make), std::move(told)));
}

namespace {
Result<std::optional<EndAttempt>> end_reported(Parts& parts, const Report& report);
}  // namespace

void report(Parts& parts, Place place, const Report& report, const Done<ReportAnswer>& done) {
  // A worker that is gone from memory is not asked for its token: the attempt's own token decides.
  const Worker* worker = parts.state.worker(report.auth.worker);
  if (worker != nullptr) {
    if (const Status known = check_auth(parts, report.auth); !known.ok()) {
      done(known.error());
      return;
    }
    if (report.notice) take_notice(parts, *worker, *report.notice);
    Lease* lease = parts.state.fenced_lease(report.attempt);
    if (lease != nullptr && lease->attempt.worker == report.auth.worker) renew(parts, *lease);
  }
  const JobNumber job = report.attempt.job;
  const int attempt = report.attempt.attempt;
  auto make = [&parts, report] { return end_reported(parts, report); };
  auto told = [&parts, job, attempt, done](const Result<EndAttempt::Answer>& ended) {
    if (ended.ok()) {
      done(ReportAnswer{ended->repeated, ended->state});
    } else {
      end_refused(parts, job, attempt);
      done(ended.error());
    }
  };
  parts.pipeline.add(
      at(std::move(place), work_of<EndAttempt>(ports::key_of(job), std::move(make), std::move(told))));
}

namespace {

// Called as the batch is formed. An attempt that memory does not hold may have been reported before, and this
// report repeat that one: the store knows.
Result<std::optional<EndAttempt>> end_reported(Parts& parts, const Report& report) {
  const AttemptRef& ref = report.attempt;
  Lease* lease = parts.state.fenced_lease(ref);
  if (lease != nullptr && lease->attempt.worker != report.auth.worker) return stale_attempt(ref);
  const core::Outcome outcome = report.outcome  ? *report.outcome
                                : report.notice ? core::Outcome::interruption
                                                : outcome_of_broken(parts, report.auth.worker);
  EndAttempt end;
  if (lease != nullptr) {
    std::string reason = report.reason;
    if (reason.empty() && outcome == core::Outcome::failure) {
      reason = core::failure_reason(report.exit_code, report.signal);
    }
    end = make_end(parts, *lease, outcome, std::move(reason), break_of(parts, *lease));
    if (outcome == core::Outcome::infra) tell_neighbours(parts, *lease);
  } else {
    end.job = ref.job;
    end.attempt = ref.attempt;
    end.outcome = outcome;
    end.now = parts.clock.wall();
  }
  end.released = !report.outcome;
  end.token_hash = ref.token.hash();
  end.exit_code = report.exit_code;
  end.signal = report.signal;
  return std::optional(std::move(end));
}

}  // namespace

}  // namespace drover::engine
