#include "drover/core/job/transitions.hpp"

#include <array>
#include <cstddef>

#include "names.hpp"

namespace drover::core {
namespace action_table {
namespace {

// What an action meets: what is visible of the job, and of one that is stopping what it stops for.
enum class Met {
  blocked,
  queued,
  running,
  stopping_to_hold,
  stopping_to_cancel,
  held,
  suspended,
  succeeded,
  failed,
  cancelled
};
constexpr std::size_t kMet = 10;
constexpr Names<JobAction, 4> kActions{{"hold", "release", "cancel", "requeue"}};

struct Verdict {
  ActionDecision::Kind kind;
  JobState state;
  const char* reason;
};

constexpr Verdict nothing() {
  return {ActionDecision::Kind::nothing, JobState::queued, ""};
}
constexpr Verdict store(JobState state) {
  return {ActionDecision::Kind::store, state, ""};
}
constexpr Verdict want(JobState state) {
  return {ActionDecision::Kind::want, state, ""};
}
constexpr Verdict refuse(const char* reason) {
  return {ActionDecision::Kind::refuse, JobState::queued, reason};
}

struct Rule {
  JobAction action;
  Met met;
  Verdict verdict;
};

using enum Met;
constexpr auto kHold = JobAction::hold;
constexpr auto kRelease = JobAction::release;
constexpr auto kCancel = JobAction::cancel;
constexpr auto kRequeue = JobAction::requeue;

constexpr std::array<Rule, kActions.names.size() * kMet> kRules{{
    {kHold, blocked, store(JobState::held)},
    {kHold, queued, store(JobState::held)},
    {kHold, running, want(JobState::held)},
    {kHold, stopping_to_hold, nothing()},
    {kHold, stopping_to_cancel, refuse("it is being cancelled")},
    {kHold, held, nothing()},
    {kHold, suspended, store(JobState::held)},
    {kHold, succeeded, refuse("it has succeeded")},
    {kHold, failed, refuse("it has failed; requeue it first")},
    {kHold, cancelled, refuse("it is cancelled; requeue it first")},

    {kRelease, blocked, nothing()},
    {kRelease, queued, nothing()},
    {kRelease, running, nothing()},
    {kRelease, stopping_to_hold, want(JobState::running)},
    {kRelease, stopping_to_cancel, refuse("it is being cancelled")},
    {kRelease, held, store(JobState::queued)},
    {kRelease, suspended, store(JobState::queued)},
    {kRelease, succeeded, refuse("it has succeeded")},
    {kRelease, failed, refuse("it has failed; requeue it instead")},
    {kRelease, cancelled, refuse("it is cancelled; requeue it instead")},

    {kCancel, blocked, store(JobState::cancelled)},
    {kCancel, queued, store(JobState::cancelled)},
    {kCancel, running, want(JobState::cancelled)},
    {kCancel, stopping_to_hold, want(JobState::cancelled)},
    {kCancel, stopping_to_cancel, nothing()},
    {kCancel, held, store(JobState::cancelled)},
    {kCancel, suspended, store(JobState::cancelled)},
    {kCancel, succeeded, refuse("it has succeeded")},
    {kCancel, failed, refuse("it has failed")},
    {kCancel, cancelled, nothing()},

    {kRequeue, blocked, nothing()},
    {kRequeue, queued, nothing()},
    {kRequeue, running, nothing()},
    {kRequeue, stopping_to_hold, refuse("it waits to be released; release it instead")},
    {kRequeue, stopping_to_cancel, refuse("it is being cancelled; requeue it when it has ended")},
    {kRequeue, held, refuse("it waits to be released; release it instead")},
    {kRequeue, suspended, refuse("it waits to be released; release it instead")},
    {kRequeue, succeeded, store(JobState::queued)},
    {kRequeue, failed, store(JobState::queued)},
    {kRequeue, cancelled, store(JobState::queued)},
}};

constexpr std::size_t place_of(JobAction action, Met met) {
  return static_cast<std::size_t>(action) * kMet + static_cast<std::size_t>(met);
}

// Every action in everything it can meet, once and in this order, so that a rule is found by its place.
constexpr bool is_total() {
  for (std::size_t i = 0; i < kRules.size(); ++i) {
    if (place_of(kRules[i].action, kRules[i].met) != i) return false;
  }
  return true;
}
static_assert(is_total());

Met met_by(const JobBrief& job) {
  switch (visible_state(job)) {
    case JobState::blocked:
      return blocked;
    case JobState::queued:
      return queued;
    case JobState::running:
      return running;
    case JobState::stopping:
      return job.wanted == JobState::cancelled ? stopping_to_cancel : stopping_to_hold;
    case JobState::held:
      return held;
    case JobState::suspended:
      return suspended;
    case JobState::succeeded:
      return succeeded;
    case JobState::failed:
      return failed;
    case JobState::cancelled:
      return cancelled;
  }
  return queued;
}

const Rule& rule(const JobBrief& job, JobAction action) {
  return kRules[place_of(action, met_by(job))];
}

}  // namespace
}  // namespace action_table

std::string_view to_string(JobAction action) {
  return action_table::kActions.of(action);
}

ActionDecision decide_action(const JobBrief& job, JobAction action) {
  const auto& verdict = action_table::rule(job, action).verdict;
  return ActionDecision{verdict.kind, verdict.state, verdict.reason};
}

}  // namespace drover::core
