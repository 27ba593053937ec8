#include "drover/core/job/retry.hpp"

#include <algorithm>
#include <string>

#include "drover/core/backoff.hpp"
#include "drover/core/job/suspects.hpp"

namespace drover::core {
namespace {

void after_failure(const EndedAttempt& end, Disposition& out);
void after_infra(const EndedAttempt& end, Disposition& out);
void after_interruption(const EndedAttempt& end, Disposition& out);

}  // namespace

Disposition decide_end(const EndedAttempt& end) {
  Disposition out;
  out.counters = end.counters;
  out.charges = end.charges;
  out.alone = end.alone;
  if (end.outcome == Outcome::returned) {  // as if it had not been
    if (end.wanted == JobState::cancelled || end.wanted == JobState::held) out.state = end.wanted;
    out.returns = end.returns + (end.undelivered ? 0 : 1);
    out.as_it_was = true;
    return out;
  }
  if (end.outcome == Outcome::succeeded) {  // the work is done, even if a hold or a cancel came meanwhile
    out.state = JobState::succeeded;
    out.alone = Seconds{0};
    return out;
  }
  // A stop was asked for: how the attempt ended is our doing, so nothing is counted.
  if (end.wanted == JobState::cancelled || end.wanted == JobState::held) {
    out.state = end.wanted;
    out.reason = end.wanted == JobState::held ? "held while it ran" : "cancelled while it ran";
    return out;
  }
  // An attempt that failed by itself, or ran for as long as it had the worker to itself, has not broken its
  // worker: the job is no suspect any more.
  if (end.outcome == Outcome::failure || end.ran >= end.alone) out.alone = Seconds{0};
  switch (end.outcome) {
    case Outcome::failure:
      after_failure(end, out);
      break;
    case Outcome::infra:
      after_infra(end, out);
      break;
    case Outcome::interruption:
      after_interruption(end, out);
      break;
    case Outcome::stopped:  // a stop that was taken back before it arrived: runs again, uncounted
    case Outcome::succeeded:
    case Outcome::returned:
      break;
  }
  return out;
}

namespace {

constexpr Seconds kBackoffMax{3600};

std::string with_reason(const std::string& text, const std::string& reason) {
  return reason.empty() ? text : text + ": " + reason;
}

void after_failure(const EndedAttempt& end, Disposition& out) {
  ++out.counters.failures;
  if (out.counters.failures < end.retry.max_attempts) {
    out.delay = doubled(std::max(end.retry.backoff, Seconds{0}), out.counters.failures, kBackoffMax);
    return;
  }
  out.state = JobState::failed;
  out.reason = end.reason.empty() ? "the last allowed attempt failed" : end.reason;
}

// A job that had its worker to itself is charged with the end. A job that shared the worker is not, but
// becomes a suspect and runs alone next. A charged job becomes a suspect too: if it is to blame, it would
// break the next worker under its neighbours.
void after_infra(const EndedAttempt& end, Disposition& out) {
  ++out.counters.infra;
  out.delay = doubled(kInfraBackoff, out.counters.infra, kInfraBackoffMax);
  const bool suspect = out.alone > Seconds{0};
  if (end.with_many && !suspect && end.counters.infra < kForgivenEnds) return;
  out.alone = alone_time(end.ran);
  if (end.shared || (end.with_many && !suspect)) return;
  out.charged = true;
  ++out.charges;
  if (end.infra_workers >= kPoisonWorkers) {
    out.state = JobState::failed;
    out.reason = with_reason(
        "poison: its attempts broke on " + std::to_string(end.infra_workers) + " different workers",
        end.reason);
  } else if (out.charges >= kPoisonEnds) {
    out.state = JobState::failed;
    out.reason = with_reason(
        "poison: " + std::to_string(out.charges) + " of its attempts broke with their worker", end.reason);
  }
}

void after_interruption(const EndedAttempt& end, Disposition& out) {
  ++out.counters.interruptions;
  if (end.retry.max_interruptions && out.counters.interruptions > *end.retry.max_interruptions) {
    out.state = JobState::failed;
    out.reason = with_reason("interrupted more often than its max_interruptions of " +
                                 std::to_string(*end.retry.max_interruptions),
                             end.reason);
  }
}

}  // namespace

Outcome outcome_of_unlisted(int returns) {
  return returns < kFreeReturns ? Outcome::returned : Outcome::infra;
}

}  // namespace drover::core
