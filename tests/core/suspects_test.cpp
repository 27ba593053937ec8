#include "drover/core/job/suspects.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "drover/core/job/retry.hpp"

namespace drover::core {
namespace {

EndedAttempt broke(SteadyTime::duration ran, bool shared) {
  EndedAttempt end;
  end.outcome = Outcome::infra;
  end.ran = ran;
  end.shared = shared;
  end.infra_workers = 1;
  end.reason = "gone";
  return end;
}

TEST(AloneTime, IsTwiceWhatItRanWithinAMinuteAndTen) {
  struct Row {
    Millis ran;
    long alone;
  };
  for (const Row& row :
       {Row{Millis{0}, 60}, Row{Millis{29'000}, 60}, Row{Millis{30'100}, 61}, Row{Millis{120'000}, 240},
        Row{Millis{300'000}, 600}, Row{Millis{301'000}, 600}, Row{Millis{9'000'000'000}, 600}}) {
    EXPECT_EQ(alone_time(row.ran).count(), row.alone) << row.ran.count();
  }
}

TEST(DecideEnd, WhatBrokeTogetherIsSuspectAndChargedToNobody) {
  for (int before = 0; before < 100; ++before) {
    EndedAttempt end = broke(Seconds{45}, true);
    end.counters.infra = before;
    end.charges = 4;
    end.infra_workers = 7;
    const Disposition out = decide_end(end);
    EXPECT_EQ(out.state, JobState::queued);
    EXPECT_EQ(out.alone, Seconds{90});
    EXPECT_EQ(out.counters.infra, before + 1) << "it is counted all the same";
    EXPECT_FALSE(out.charged);
    EXPECT_EQ(out.charges, 4);
  }
}

TEST(DecideEnd, WhoMeetsTheEndAloneIsChargedAndStaysSuspect) {
  const Disposition out = decide_end(broke(Seconds{1}, false));
  EXPECT_EQ(out.state, JobState::queued);
  EXPECT_TRUE(out.charged);
  EXPECT_EQ(out.charges, 1);
  EXPECT_EQ(out.alone, kAloneMin);
}

TEST(DecideEnd, InfraBacksOffFromASecondToFiveMinutes) {
  struct Row {
    int before;
    long delay;
  };
  for (const Row row : {Row{0, 1}, Row{1, 2}, Row{2, 4}, Row{8, 256}, Row{9, 300}, Row{1000, 300}}) {
    EndedAttempt end = broke(Seconds{1}, true);
    end.counters.infra = row.before;
    EXPECT_EQ(decide_end(end).delay.count(), row.delay) << row.before;
  }
}

TEST(DecideEnd, TheLossOfManyMachinesMakesNoSuspects) {
  for (const bool shared : {false, true}) {
    EndedAttempt end = broke(Seconds{1}, shared);
    end.with_many = true;
    for (; end.counters.infra < kForgivenEnds; ++end.counters.infra) {
      const Disposition out = decide_end(end);
      EXPECT_EQ(out.alone, Seconds{0});
      EXPECT_FALSE(out.charged);
      EXPECT_GT(out.delay, Seconds{0});
    }
    // Many jobs that each end their machine look like that every time.
    EXPECT_EQ(decide_end(end).alone, kAloneMin);
    EXPECT_FALSE(decide_end(end).charged);
    end.alone = kAloneMin;
    EXPECT_EQ(decide_end(end).charged, !shared) << "a suspect's end is judged like any other";
  }
}

TEST(DecideEnd, ASuspectIsClearedByItsOwnEndOrByItsTime) {
  struct Row {
    Outcome outcome;
    Seconds ran;
    JobState wanted;
    Seconds alone;
  };
  const Seconds given{60};
  for (const Row& row : {Row{Outcome::failure, Seconds{1}, JobState::running, Seconds{0}},
                         Row{Outcome::succeeded, Seconds{1}, JobState::running, Seconds{0}},
                         Row{Outcome::interruption, Seconds{59}, JobState::running, given},
                         Row{Outcome::interruption, Seconds{60}, JobState::running, Seconds{0}},
                         Row{Outcome::stopped, Seconds{1}, JobState::running, given},
                         Row{Outcome::stopped, Seconds{1}, JobState::held, given},
                         Row{Outcome::infra, Seconds{1}, JobState::held, given}}) {
    EndedAttempt end = broke(row.ran, false);
    end.outcome = row.outcome;
    end.wanted = row.wanted;
    end.retry.max_attempts = 10;
    end.alone = given;
    end.charges = 2;
    const Disposition out = decide_end(end);
    EXPECT_EQ(out.alone, row.alone) << to_string(row.outcome) << " after " << row.ran.count();
    EXPECT_EQ(out.charges, 2) << to_string(row.outcome);
  }
}

TEST(Offer, ASuspectGoesToAWorkerThatHasNothingAndKeepsItToItself) {
  const ReadyKey early{0, 1};
  const ReadyKey late{0, 2};
  const std::optional<ReadyKey> none;
  struct Row {
    Asker asker;
    std::optional<ReadyKey> shared, suspect;
    Offer offer;
  };
  for (const Row& row : {
           Row{{0, false, false}, none, none, Offer::nothing},
           Row{{0, false, false}, late, none, Offer::shared},
           Row{{0, false, false}, none, late, Offer::suspect},
           Row{{0, false, false}, late, early, Offer::suspect},
           Row{{0, false, false}, early, late, Offer::shared},
           Row{{0, false, true}, late, early, Offer::suspect},
           Row{{1, false, false}, none, early, Offer::nothing},
           Row{{1, false, false}, late, early, Offer::shared},
           Row{{1, false, true}, late, early, Offer::nothing},
           Row{{1, true, false}, early, late, Offer::nothing},
           Row{{1, true, false}, late, early, Offer::nothing},
       }) {
    EXPECT_EQ(offer(row.asker, row.shared, row.suspect), row.offer)
        << row.asker.leases << row.asker.alone << row.asker.kept << row.shared.has_value()
        << row.suspect.has_value();
  }
}

TEST(KeepsFree, TheWorkerWithTheLeastToFinish) {
  const auto chosen = [](std::vector<Candidate> workers) {
    return keeps_free(workers).value_or(WorkerId{}).value;
  };
  EXPECT_EQ(chosen({}), 0);
  EXPECT_EQ(chosen({{WorkerId{1}, 3, false}, {WorkerId{2}, 1, false}, {WorkerId{3}, 2, false}}), 2);
  EXPECT_EQ(chosen({{WorkerId{2}, 1, false}, {WorkerId{1}, 1, false}}), 1);
  EXPECT_EQ(chosen({{WorkerId{1}, 1, true}, {WorkerId{2}, 4, false}}), 2);
  EXPECT_EQ(chosen({{WorkerId{1}, 1, true}}), 0);
}

TEST(CredibleLoss, IsAShareOfTheFleetAndAFewAtLeast) {
  Tunables tunables;
  tunables.freeze_min = 3;
  tunables.freeze_share = 0.3;
  EXPECT_EQ(credible_loss(2, tunables), 3.0);
  EXPECT_EQ(credible_loss(100, tunables), 30.0);
}

}  // namespace
}  // namespace drover::core
