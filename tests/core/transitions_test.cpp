#include "drover/core/job/transitions.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace drover::core::job_actions {
namespace {

using Kind = ActionDecision::Kind;
using S = JobState;
using A = JobAction;

JobBrief stored(JobState state) {
  return JobBrief{state, false, S::running};
}
JobBrief leased(JobState wanted) {
  return JobBrief{S::queued, true, wanted};
}

// All that a job can be.
const std::vector<JobBrief>& jobs() {
  static const std::vector<JobBrief> all{stored(S::blocked),   stored(S::queued),    stored(S::held),
                                         stored(S::suspended), stored(S::succeeded), stored(S::failed),
                                         stored(S::cancelled), leased(S::running),   leased(S::held),
                                         leased(S::cancelled)};
  return all;
}
constexpr A kActions[] = {A::hold, A::release, A::cancel, A::requeue};

// As a failure shows it.
std::string name(const JobBrief& job, A action) {
  std::string text(to_string(action));
  text += ' ';
  text += to_string(visible_state(job));
  if (job.leased) text += " wanted " + std::string(to_string(job.wanted));
  return text;
}

JobBrief after(JobBrief job, A action) {
  const ActionDecision decision = decide_action(job, action);
  if (decision.kind == Kind::store) job.stored = decision.state;
  if (decision.kind == Kind::want) job.wanted = decision.state;
  return job;
}

bool refused(const JobBrief& job, A action) {
  return decide_action(job, action).kind == Kind::refuse;
}

TEST(DecideAction, AskedAgainIsNothing) {
  for (const JobBrief& job : jobs()) {
    for (const A action : kActions) {
      if (refused(job, action)) continue;
      EXPECT_EQ(decide_action(after(job, action), action).kind, Kind::nothing) << name(job, action);
    }
  }
}

TEST(DecideAction, ARefusalSaysWhyAndNothingElseDoes) {
  for (const JobBrief& job : jobs()) {
    for (const A action : kActions) {
      const ActionDecision decision = decide_action(job, action);
      EXPECT_EQ(decision.reason.empty(), decision.kind != Kind::refuse) << name(job, action);
    }
  }
}

// What a lease gives is not stored, and what is stored of a job that has one is not touched.
TEST(DecideAction, OfALeasedJobOnlyTheWishChangesAndOfAnotherOnlyTheState) {
  for (const JobBrief& job : jobs()) {
    for (const A action : kActions) {
      const ActionDecision decision = decide_action(job, action);
      EXPECT_NE(decision.kind, job.leased ? Kind::store : Kind::want) << name(job, action);
      if (decision.kind != Kind::store) continue;
      EXPECT_NE(decision.state, S::running) << name(job, action);
      EXPECT_NE(decision.state, S::stopping) << name(job, action);
    }
  }
}

// What each action promises where it is not refused.
TEST(DecideAction, LeadsWhereItsNameSays) {
  for (const JobBrief& job : jobs()) {
    const JobBrief held = after(job, A::hold);
    if (!refused(job, A::hold)) {
      EXPECT_EQ(held.leased ? held.wanted : held.stored, S::held) << name(job, A::hold);
    }
    const JobBrief cancelled = after(job, A::cancel);
    if (!refused(job, A::cancel)) {
      EXPECT_EQ(cancelled.leased ? cancelled.wanted : cancelled.stored, S::cancelled) << name(job, A::cancel);
    }
    const JobBrief released = after(job, A::release);
    if (!refused(job, A::release)) {
      EXPECT_TRUE(released.leased ? released.wanted == S::running
                                  : released.stored == S::queued || released.stored == S::blocked)
          << name(job, A::release);
    }
    const JobBrief requeued = after(job, A::requeue);
    if (!refused(job, A::requeue)) {
      EXPECT_TRUE(requeued.leased ? requeued.wanted == S::running
                                  : requeued.stored == S::queued || requeued.stored == S::blocked)
          << name(job, A::requeue);
    }
  }
}

TEST(DecideAction, IsRefusedWhereItCouldOnlyMislead) {
  const std::vector<std::pair<JobBrief, std::vector<A>>> refusals{
      {stored(S::succeeded), {A::hold, A::release, A::cancel}},
      {stored(S::failed), {A::hold, A::release, A::cancel}},
      {stored(S::cancelled), {A::hold, A::release}},
      {stored(S::held), {A::requeue}},
      {stored(S::suspended), {A::requeue}},
      {leased(S::held), {A::requeue}},
      {leased(S::cancelled), {A::hold, A::release, A::requeue}},
  };
  std::size_t expected = 0;
  for (const auto& [job, actions] : refusals) {
    for (const A action : actions) EXPECT_TRUE(refused(job, action)) << name(job, action);
    expected += actions.size();
  }
  std::size_t all = 0;
  for (const JobBrief& job : jobs()) {
    for (const A action : kActions) all += refused(job, action) ? 1 : 0;
  }
  EXPECT_EQ(all, expected);
}

TEST(VisibleState, ALeaseMakesItRunningOrStopping) {
  EXPECT_EQ(visible_state(leased(S::running)), S::running);
  EXPECT_EQ(visible_state(leased(S::held)), S::stopping);
  EXPECT_EQ(visible_state(leased(S::cancelled)), S::stopping);
  EXPECT_EQ(visible_state(stored(S::held)), S::held);
}

}  // namespace
}  // namespace drover::core::job_actions
