#include <algorithm>
#include <array>
#include <string>

#include "drover/core/health.hpp"
#include "drover/core/job.hpp"
#include "drover/core/suspects.hpp"

namespace drover::core {
namespace {

// The columns of the table: what is visible, with `stopping` split by what it stops for.
enum Column {
  kBlocked,
  kQueued,
  kRunning,
  kToHeld,
  kToCancelled,
  kHeld,
  kSuspended,
  kSucceeded,
  kFailed,
  kCancelled,
  kColumns
};

Column column_of(const JobBrief& job) {
  switch (visible_state(job)) {
    case JobState::blocked:
      return kBlocked;
    case JobState::queued:
      return kQueued;
    case JobState::running:
      return kRunning;
    case JobState::stopping:
      return job.wanted == JobState::cancelled ? kToCancelled : kToHeld;
    case JobState::held:
      return kHeld;
    case JobState::suspended:
      return kSuspended;
    case JobState::succeeded:
      return kSucceeded;
    case JobState::failed:
      return kFailed;
    case JobState::cancelled:
      return kCancelled;
  }
  return kQueued;
}

struct Cell {
  ActionDecision::Kind kind;
  JobState state;
  const char* reason;
};

constexpr Cell nothing() {
  return {ActionDecision::Kind::nothing, JobState::queued, ""};
}
constexpr Cell store(JobState state) {
  return {ActionDecision::Kind::store, state, ""};
}
constexpr Cell want(JobState state) {
  return {ActionDecision::Kind::want, state, ""};
}
constexpr Cell refuse(const char* reason) {
  return {ActionDecision::Kind::refuse, JobState::queued, reason};
}

constexpr const char* kEnding = "it is being cancelled";
constexpr const char* kReleaseIt = "it waits to be released; release it instead";

using Row = std::array<Cell, kColumns>;
// clang-format off
//                          blocked                    queued                     running                    stopping (hold)                   stopping (cancel)  held                       suspended                  succeeded                            failed                            cancelled
constexpr Row kHoldRow{     store(JobState::held),     store(JobState::held),     want(JobState::held),      nothing(),                        refuse(kEnding),   nothing(),                 store(JobState::held),     refuse("it has succeeded"),          refuse("it has failed; requeue it first"), refuse("it is cancelled; requeue it first")};
constexpr Row kReleaseRow{  nothing(),                 nothing(),                 nothing(),                 want(JobState::running),          refuse(kEnding),   store(JobState::queued),   store(JobState::queued),   refuse("it has succeeded"),          refuse("it has failed; requeue it instead"), refuse("it is cancelled; requeue it instead")};
constexpr Row kCancelRow{   store(JobState::cancelled), store(JobState::cancelled), want(JobState::cancelled), want(JobState::cancelled),      nothing(),         store(JobState::cancelled), store(JobState::cancelled), refuse("it has succeeded"),       refuse("it has failed"),          nothing()};
constexpr Row kRequeueRow{  nothing(),                 nothing(),                 nothing(),                 refuse(kReleaseIt),               refuse("it is being cancelled; requeue it when it has ended"), refuse(kReleaseIt), refuse(kReleaseIt), store(JobState::queued), store(JobState::queued),   store(JobState::queued)};
// clang-format on

const Row& row_of(JobAction action) {
  switch (action) {
    case JobAction::hold:
      return kHoldRow;
    case JobAction::release:
      return kReleaseRow;
    case JobAction::cancel:
      return kCancelRow;
    case JobAction::requeue:
      return kRequeueRow;
  }
  return kHoldRow;
}

constexpr Seconds kBackoffMax{3600};

Seconds backoff_after(int failures, Seconds base) {
  Seconds delay = std::max(base, Seconds{0});
  for (int i = 1; i < failures && delay < kBackoffMax; ++i) delay *= 2;
  return std::min(delay, kBackoffMax);
}

std::string with_reason(const std::string& text, const std::string& reason) {
  return reason.empty() ? text : text + ": " + reason;
}

void after_failure(const EndedAttempt& end, Disposition& out) {
  ++out.counters.failures;
  if (out.counters.failures < end.retry.max_attempts) {
    out.delay = backoff_after(out.counters.failures, end.retry.backoff);
    return;
  }
  out.state = JobState::failed;
  out.reason = end.reason.empty() ? "the last allowed attempt failed" : end.reason;
}

// Who meets the end alone is charged. Who meets it with others becomes a suspect, and so does who is charged:
// it would take the next machine from its neighbours.
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

JobState visible_state(const JobBrief& job) {
  if (!job.leased) return job.stored;
  return job.wanted == JobState::held || job.wanted == JobState::cancelled ? JobState::stopping
                                                                           : JobState::running;
}

ActionDecision decide_action(const JobBrief& job, JobAction action) {
  const Cell& cell = row_of(action)[static_cast<std::size_t>(column_of(job))];
  return ActionDecision{cell.kind, cell.state, cell.reason};
}

Disposition decide_end(const EndedAttempt& end) {
  Disposition out{JobState::queued, end.counters, Seconds{0}, {}, false, end.charges, end.alone};
  if (end.outcome == Outcome::succeeded) {  // the work is done, whatever was wished meanwhile
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
  // What ended by itself, or outlived the time, has not broken its worker.
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
      break;
  }
  return out;
}

}  // namespace drover::core
