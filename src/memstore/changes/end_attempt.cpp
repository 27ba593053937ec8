#include <algorithm>

#include "changes/define.hpp"

namespace drover::memstore {

using ports::EndAttempt;

namespace {

EndAttempt::Answer now(const Data& data, JobNumber number, const Job& job) {
  const Lease* lease = data.lease(number);
  EndAttempt::Answer out;
  out.state = core::visible_state(
      {job.state, lease != nullptr, lease == nullptr ? core::JobState::running : lease->wanted});
  out.queue = job.spec.queue;
  out.key = {-job.spec.priority, number.value};
  out.wake_at = job.wake_at;
  return out;
}

void close(Data& data, const EndAttempt& end, Job& job) {
  const Lease lease = data.leases.at(end.job);
  data.leases.erase(end.job);
  data.attempts[{end.job, end.attempt}] = {lease.worker, lease.started,    end.now,
                                           end.outcome,  end.exit_code,    end.signal,
                                           end.reason,   lease.token_hash, end.token_hash.has_value()};
  const core::Disposition& next = *end.disposition;
  job.state = next.state;
  job.finished = core::is_final(next.state) ? std::optional(end.now) : std::nullopt;
  job.attempts = end.attempt;
  job.counters = next.counters;
  const bool later = next.state == core::JobState::queued && next.delay > Seconds{0};
  job.wake_at = later ? std::optional<WallTime>(end.now + next.delay) : std::nullopt;
  job.charges = next.charges;
  job.alone = next.alone;
  job.returns = next.returns;
  if (!next.as_it_was) {
    job.reason = next.reason;
    job.exit_code = end.exit_code;
    job.signal = end.signal;
    job.started = lease.started;
  }
  auto& broken = job.infra_workers;
  if (next.charged && std::ranges::find(broken, lease.worker) == broken.end()) broken.push_back(lease.worker);
}

// The outcome of an attempt that its worker gave back depends on what was known of the worker at the time, so
// either outcome of a release counts as the same report.
bool same_report(const EndAttempt& end, const Attempt& kept) {
  if (!end.token_hash || !kept.reported || *end.token_hash != kept.token_hash) return false;
  const bool given_back = kept.outcome == core::Outcome::interruption || kept.outcome == core::Outcome::infra;
  return end.released ? given_back : end.outcome == kept.outcome;
}

}  // namespace

template <>
struct InMemory<EndAttempt> {
  static Result<EndAttempt::Answer> carry_out(Data& data, const EndAttempt& end) {
    if (Status good = check_text(end.reason); !good.ok()) return good.error();
    Job* job = data.job(end.job);
    if (job == nullptr) return not_found("there is no job " + std::to_string(end.job.value));
    const Lease* lease = data.lease(end.job);
    if (end.disposition && lease != nullptr && lease->attempt == end.attempt &&
        (!end.token_hash || *end.token_hash == lease->token_hash)) {
      close(data, end, *job);
      data.happened(std::string(to_string(end.outcome)), end.job.value);
      return now(data, end.job, *job);
    }
    const std::string name =
        "attempt " + std::to_string(end.attempt) + " of job " + std::to_string(end.job.value);
    const auto kept = data.attempts.find({end.job, end.attempt});
    if (kept == data.attempts.end()) return stale(name + " is not open with this token");
    if (!same_report(end, kept->second)) {
      return stale(name + " has ended already, as " + std::string(to_string(kept->second.outcome)));
    }
    EndAttempt::Answer answer = now(data, end.job, *job);
    answer.repeated = true;
    return answer;
  }
};
DROVER_IN_MEMORY(ports::EndAttempt)

}  // namespace drover::memstore
