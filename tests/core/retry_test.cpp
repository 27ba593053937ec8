#include "drover/core/job/retry.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace drover::core::retries {
namespace {

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
      {Outcome::returned, S::running, S::queued, {}},
      {Outcome::returned, S::held, S::held, {}},
      {Outcome::returned, S::cancelled, S::cancelled, {}},
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

TEST(DecideEnd, AReturnLeavesTheJobAsItWas) {
  EndedAttempt end = ended(Outcome::returned);
  end.counters = {2, 4, 100};
  end.retry.max_interruptions = 0;
  end.alone = Seconds{60};
  end.charges = 4;
  const Disposition out = decide_end(end);
  EXPECT_EQ(out.state, JobState::queued);
  EXPECT_EQ(out.counters, end.counters);
  EXPECT_EQ(out.delay, Seconds{0});
  EXPECT_EQ(out.alone, end.alone) << "a suspect stays one";
  EXPECT_EQ(out.charges, end.charges);
  EXPECT_TRUE(out.as_it_was);
}

TEST(DecideEnd, OfReturnsThatListsTellTwoInARowAreFree) {
  EndedAttempt end = ended(Outcome::returned);
  int infra = 0;
  for (int i = 0; i < 6; ++i) {
    end.outcome = outcome_of_unlisted(end.returns);
    infra += end.outcome == Outcome::infra ? 1 : 0;
    end.returns = decide_end(end).returns;
  }
  EXPECT_EQ(infra, 2) << "every third";
  end.returns = 2;
  end.outcome = Outcome::failure;
  EXPECT_EQ(decide_end(end).returns, 0);
  end.outcome = Outcome::returned;
  end.undelivered = true;
  EXPECT_EQ(decide_end(end).returns, 2) << "what the transport tells is no doing of the job's";
}

}  // namespace
}  // namespace drover::core::retries
