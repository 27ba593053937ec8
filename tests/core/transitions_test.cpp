#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "drover/core/job.hpp"

namespace drover::core {
namespace {

using Kind = ActionDecision::Kind;

JobBrief stored(JobState state) {
  return JobBrief{state, false, JobState::running, 0};
}
JobBrief leased(JobState wanted) {
  return JobBrief{JobState::queued, true, wanted, 1};
}

struct Case {
  const char* name;
  JobBrief job;
  JobAction action;
  Kind kind;
  JobState state;  // for store and want
};

// Every action in every state a job can be in: stopping counts as two.
const std::vector<Case>& table() {
  using A = JobAction;
  using S = JobState;
  static const std::vector<Case> cases{
      {"hold blocked", stored(S::blocked), A::hold, Kind::store, S::held},
      {"hold queued", stored(S::queued), A::hold, Kind::store, S::held},
      {"hold running", leased(S::running), A::hold, Kind::want, S::held},
      {"hold stopping to held", leased(S::held), A::hold, Kind::nothing, {}},
      {"hold stopping to cancelled", leased(S::cancelled), A::hold, Kind::refuse, {}},
      {"hold held", stored(S::held), A::hold, Kind::nothing, {}},
      {"hold suspended", stored(S::suspended), A::hold, Kind::store, S::held},
      {"hold succeeded", stored(S::succeeded), A::hold, Kind::refuse, {}},
      {"hold failed", stored(S::failed), A::hold, Kind::refuse, {}},
      {"hold cancelled", stored(S::cancelled), A::hold, Kind::refuse, {}},
      {"release blocked", stored(S::blocked), A::release, Kind::nothing, {}},
      {"release queued", stored(S::queued), A::release, Kind::nothing, {}},
      {"release running", leased(S::running), A::release, Kind::nothing, {}},
      {"release stopping to held", leased(S::held), A::release, Kind::want, S::running},
      {"release stopping to cancelled", leased(S::cancelled), A::release, Kind::refuse, {}},
      {"release held", stored(S::held), A::release, Kind::store, S::queued},
      {"release suspended", stored(S::suspended), A::release, Kind::store, S::queued},
      {"release succeeded", stored(S::succeeded), A::release, Kind::refuse, {}},
      {"release failed", stored(S::failed), A::release, Kind::refuse, {}},
      {"release cancelled", stored(S::cancelled), A::release, Kind::refuse, {}},
      {"cancel blocked", stored(S::blocked), A::cancel, Kind::store, S::cancelled},
      {"cancel queued", stored(S::queued), A::cancel, Kind::store, S::cancelled},
      {"cancel running", leased(S::running), A::cancel, Kind::want, S::cancelled},
      {"cancel stopping to held", leased(S::held), A::cancel, Kind::want, S::cancelled},
      {"cancel stopping to cancelled", leased(S::cancelled), A::cancel, Kind::nothing, {}},
      {"cancel held", stored(S::held), A::cancel, Kind::store, S::cancelled},
      {"cancel suspended", stored(S::suspended), A::cancel, Kind::store, S::cancelled},
      {"cancel succeeded", stored(S::succeeded), A::cancel, Kind::refuse, {}},
      {"cancel failed", stored(S::failed), A::cancel, Kind::refuse, {}},
      {"cancel cancelled", stored(S::cancelled), A::cancel, Kind::nothing, {}},
      {"requeue blocked", stored(S::blocked), A::requeue, Kind::nothing, {}},
      {"requeue queued", stored(S::queued), A::requeue, Kind::nothing, {}},
      {"requeue running", leased(S::running), A::requeue, Kind::nothing, {}},
      {"requeue stopping to held", leased(S::held), A::requeue, Kind::refuse, {}},
      {"requeue stopping to cancelled", leased(S::cancelled), A::requeue, Kind::refuse, {}},
      {"requeue held", stored(S::held), A::requeue, Kind::refuse, {}},
      {"requeue suspended", stored(S::suspended), A::requeue, Kind::refuse, {}},
      {"requeue succeeded", stored(S::succeeded), A::requeue, Kind::store, S::queued},
      {"requeue failed", stored(S::failed), A::requeue, Kind::store, S::queued},
      {"requeue cancelled", stored(S::cancelled), A::requeue, Kind::store, S::queued},
  };
  return cases;
}

TEST(DecideAction, FollowsTheTable) {
  for (const Case& c : table()) {
    const ActionDecision decision = decide_action(c.job, c.action);
    EXPECT_EQ(static_cast<int>(decision.kind), static_cast<int>(c.kind)) << c.name;
    if (c.kind == Kind::store || c.kind == Kind::want) {
      EXPECT_EQ(to_string(decision.state), to_string(c.state)) << c.name;
    }
    EXPECT_EQ(decision.reason.empty(), c.kind != Kind::refuse) << c.name;
  }
}

TEST(DecideAction, TableHoldsEveryActionInEveryState) {
  std::set<std::tuple<JobAction, JobState, JobState>> seen;
  for (const Case& c : table()) {
    seen.insert({c.action, visible_state(c.job), c.job.leased ? c.job.wanted : JobState::running});
  }
  EXPECT_EQ(seen.size(), 4U * 10U);
  EXPECT_EQ(seen.size(), table().size());
}

JobBrief apply(JobBrief job, const ActionDecision& decision) {
  if (decision.kind == Kind::store) job.stored = decision.state;
  if (decision.kind == Kind::want) job.wanted = decision.state;
  return job;
}

TEST(DecideAction, AskedAgainIsNothing) {
  for (const Case& c : table()) {
    const ActionDecision first = decide_action(c.job, c.action);
    if (first.kind == Kind::refuse) continue;
    const ActionDecision second = decide_action(apply(c.job, first), c.action);
    EXPECT_EQ(static_cast<int>(second.kind), static_cast<int>(Kind::nothing)) << c.name;
  }
}

TEST(DecideAction, NeverStoresAStateThatOnlyALeaseGives) {
  for (const Case& c : table()) {
    const ActionDecision decision = decide_action(c.job, c.action);
    if (decision.kind != Kind::store) continue;
    EXPECT_FALSE(c.job.leased) << c.name << ": a leased job's stored state is not to be touched";
    EXPECT_NE(decision.state, JobState::running) << c.name;
    EXPECT_NE(decision.state, JobState::stopping) << c.name;
  }
}

TEST(VisibleState, ALeaseMakesItRunningOrStopping) {
  EXPECT_EQ(visible_state(leased(JobState::running)), JobState::running);
  EXPECT_EQ(visible_state(leased(JobState::held)), JobState::stopping);
  EXPECT_EQ(visible_state(leased(JobState::cancelled)), JobState::stopping);
  EXPECT_EQ(visible_state(stored(JobState::held)), JobState::held);
}

EndedAttempt ended(Outcome outcome, JobState wanted = JobState::running) {
  EndedAttempt end;
  end.outcome = outcome;
  end.wanted = wanted;
  end.retry.max_attempts = 3;
  end.reason = "because";
  return end;
}

TEST(DecideEnd, OutcomesUnderEveryWish) {
  using S = JobState;
  struct Row {
    Outcome outcome;
    S wanted;
    S state;
    Counters counters;
  };
  const std::vector<Row> rows{
      {Outcome::succeeded, S::running, S::succeeded, {}},
      {Outcome::succeeded, S::held, S::succeeded, {}},
      {Outcome::succeeded, S::cancelled, S::succeeded, {}},
      {Outcome::failure, S::running, S::queued, {1, 0, 0}},
      {Outcome::failure, S::held, S::held, {}},
      {Outcome::failure, S::cancelled, S::cancelled, {}},
      {Outcome::interruption, S::running, S::queued, {0, 0, 1}},
      {Outcome::interruption, S::held, S::held, {}},
      {Outcome::interruption, S::cancelled, S::cancelled, {}},
      {Outcome::infra, S::running, S::queued, {0, 1, 0}},
      {Outcome::infra, S::held, S::held, {}},
      {Outcome::infra, S::cancelled, S::cancelled, {}},
      {Outcome::stopped, S::running, S::queued, {}},
      {Outcome::stopped, S::held, S::held, {}},
      {Outcome::stopped, S::cancelled, S::cancelled, {}},
  };
  for (const Row& row : rows) {
    const Disposition out = decide_end(ended(row.outcome, row.wanted));
    EXPECT_EQ(to_string(out.state), to_string(row.state))
        << to_string(row.outcome) << " wanted " << to_string(row.wanted);
    EXPECT_EQ(out.counters, row.counters) << to_string(row.outcome) << " wanted " << to_string(row.wanted);
  }
}

TEST(DecideEnd, FailuresWaitLongerEachTimeUpToAnHour) {
  struct Row {
    int before;
    long delay;
  };
  for (const Row row : {Row{0, 5}, Row{1, 10}, Row{2, 20}, Row{9, 2560}, Row{10, 3600}, Row{900, 3600}}) {
    EndedAttempt end = ended(Outcome::failure);
    end.retry.max_attempts = 1000;
    end.counters.failures = row.before;
    EXPECT_EQ(decide_end(end).delay.count(), row.delay) << row.before;
  }
  EndedAttempt end = ended(Outcome::failure);
  end.retry.backoff = Seconds{0};
  EXPECT_EQ(decide_end(end).delay.count(), 0);
}

TEST(DecideEnd, OnlyFailuresCountTowardsMaxAttempts) {
  EndedAttempt end = ended(Outcome::failure);
  end.counters = {2, 1, 50};
  const Disposition last = decide_end(end);
  EXPECT_EQ(last.state, JobState::failed);
  EXPECT_EQ(last.reason, "because");
  EXPECT_EQ(last.counters, (Counters{3, 1, 50}));
  end.outcome = Outcome::interruption;
  EXPECT_EQ(decide_end(end).state, JobState::queued);
}

TEST(DecideEnd, InterruptionsAreUnlimitedUnlessAsked) {
  EndedAttempt end = ended(Outcome::interruption);
  end.counters.interruptions = 100'000;
  EXPECT_EQ(decide_end(end).state, JobState::queued);
  end.retry.max_interruptions = 2;
  end.counters.interruptions = 1;
  EXPECT_EQ(decide_end(end).state, JobState::queued) << "the second of two allowed";
  end.counters.interruptions = 2;
  EXPECT_EQ(decide_end(end).state, JobState::failed);
  EXPECT_NE(decide_end(end).reason.find("max_interruptions of 2"), std::string::npos);
}

TEST(DecideEnd, PoisonIsThreeWorkersOrFiveEnds) {
  EndedAttempt end = ended(Outcome::infra);
  end.infra_workers = kPoisonWorkers - 1;
  EXPECT_EQ(decide_end(end).state, JobState::queued);
  end.infra_workers = kPoisonWorkers;
  EXPECT_EQ(decide_end(end).state, JobState::failed);
  EXPECT_EQ(decide_end(end).reason.find("poison"), 0U);
  end.infra_workers = 1;
  end.charges = kPoisonEnds - 2;
  EXPECT_EQ(decide_end(end).state, JobState::queued);
  end.charges = kPoisonEnds - 1;
  EXPECT_EQ(decide_end(end).state, JobState::failed);
  end.outcome = Outcome::interruption;  // a machine that was taken poisons nothing
  EXPECT_EQ(decide_end(end).state, JobState::queued);
}

}  // namespace
}  // namespace drover::core
