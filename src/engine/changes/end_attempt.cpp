#include <algorithm>
#include <utility>

#include "drover/base/log.hpp"

#include "changes/define.hpp"
#include "engine_impl.hpp"

namespace drover::engine {

using ports::EndAttempt;

template <>
struct InEngine<EndAttempt> {
  static void remember(Memory& memory, const EndAttempt& end, const EndAttempt::Answer& ended,
                       SteadyTime now) {
    if (ended.repeated) return;
    const core::Disposition& next = end.disposition;
    if (next.charged && next.state == core::JobState::failed) {
      log_line(LogLevel::warn, "job parked",
               {{"job", std::to_string(end.job.value)}, {"reason", next.reason}});
    }
    ++memory.attempts_ended;
    memory.close(end.job, now);
    if (ended.state == core::JobState::queued) {
      memory.queued_again({ended.queue, ended.key, next.alone > Seconds{0}}, ended.wake_at);
    }
  }
};
DROVER_IN_ENGINE(ports::EndAttempt)

EndAttempt Engine::Impl::make_end(const Lease& lease, core::Outcome outcome, std::string reason,
                                  const Break& broken) const {
  const ports::OpenAttempt& attempt = lease.attempt;
  int infra_workers = static_cast<int>(attempt.infra_workers.size());
  if (outcome == core::Outcome::infra && std::find(attempt.infra_workers.begin(), attempt.infra_workers.end(),
                                                   attempt.worker) == attempt.infra_workers.end()) {
    ++infra_workers;
  }
  core::EndedAttempt ended{outcome, attempt.wanted, attempt.counters, attempt.retry, infra_workers, reason};
  ended.shared = broken.shared;
  ended.with_many = broken.with_many;
  const SteadyTime::duration open = clock_.wall() - attempt.started;
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
  end.now = clock_.wall();
  return end;
}

void Engine::Impl::stage_end(JobNumber job, int attempt, core::Outcome outcome, const std::string& reason,
                             const Break& broken, std::function<void(const Status&)> done) {
  auto make = [this, job, attempt, outcome, reason, broken, done]() -> Result<std::optional<EndAttempt>> {
    const Lease* lease = memory_.lease(job);
    if (lease == nullptr || lease->attempt.attempt != attempt) {
      done(Ok{});  // ended meanwhile: what was wanted is so
      return std::optional<EndAttempt>();
    }
    return std::optional(make_end(*lease, outcome, reason, broken));
  };
  auto told = [done](const Result<EndAttempt::Answer>& ended) {
    done(ended ? Status(Ok{}) : Status(ended.error()));
  };
  committer_.add(work_of<EndAttempt>(ports::key_of(job), std::move(make), std::move(told)));
}

void Engine::report(Report report, Done<ReportAnswer> done) {
  auto refuse = refuse_by(done);
  impl_->post([this, report = std::move(report), done = std::move(done)] { impl_->do_report(report, done); },
              std::move(refuse));
}

void Engine::Impl::do_report(const Report& report, const Done<ReportAnswer>& done) {
  // A worker that is gone from memory is not asked for its token: the attempt's own token decides, and the
  // store knows whether this report was accepted before.
  const Worker* worker = memory_.worker(report.auth.worker);
  if (worker != nullptr) {
    if (const Status known = check_auth(report.auth); !known) {
      done(known.error());
      return;
    }
    if (report.notice) take_notice(*worker, *report.notice);
  }
  const Sha256 hash = sha256(report.attempt.token.reveal());
  std::string reason = report.reason;
  if (reason.empty() && report.outcome == core::Outcome::failure) {
    reason = core::failure_reason(report.exit_code, report.signal);
  }
  auto make = [this, report, hash, reason]() -> Result<std::optional<EndAttempt>> {
    const Lease* lease = memory_.fenced_lease(report.attempt.job, report.attempt.attempt, hash);
    if (lease != nullptr && lease->attempt.worker != report.auth.worker) return stale_attempt(report.attempt);
    const core::Outcome outcome = report.outcome  ? *report.outcome
                                  : report.notice ? core::Outcome::interruption
                                                  : outcome_of_broken(report.auth.worker);
    EndAttempt end;
    if (lease != nullptr) {
      end = make_end(*lease, outcome, reason, break_of(*lease));
      if (outcome == core::Outcome::infra) tell_neighbours(*lease);
    } else {
      end.job = report.attempt.job;
      end.attempt = report.attempt.attempt;
      end.outcome = outcome;
      end.now = clock_.wall();
    }
    end.released = !report.outcome;
    end.token_hash = hash;
    end.exit_code = report.exit_code;
    end.signal = report.signal;
    return std::optional(std::move(end));
  };
  auto told = [done](const Result<EndAttempt::Answer>& ended) {
    if (ended) {
      done(ReportAnswer{ended->repeated, ended->state});
    } else {
      done(ended.error());
    }
  };
  committer_.add(work_of<EndAttempt>(ports::key_of(report.attempt.job), std::move(make), std::move(told)));
}

}  // namespace drover::engine
