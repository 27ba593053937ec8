#include <gtest/gtest.h>

#include "drover/base/text.hpp"
#include "drover/core/worker/machine_end.hpp"

#include "fleet_builder.hpp"

namespace drover::core {
namespace {

using testing::all;
using testing::Fleet;
using testing::instance_id;
using testing::noted;

TEST(ClassifyEnd, FirstMatchingRuleWins) {
  struct Row {
    WorkerState worker;
    const char* reason;
    Outcome outcome;
    bool image;
    bool noticed = false;
  };
  for (const Row& row :
       {Row{WorkerState::active, "Server.SpotInstanceTermination", Outcome::interruption, false},
        Row{WorkerState::active, "Server.SpotInstanceShutdown", Outcome::interruption, false},
        Row{WorkerState::active, "Server.InternalError", Outcome::interruption, false},
        Row{WorkerState::active, "Server.ScheduledStop", Outcome::interruption, false},
        Row{WorkerState::active, "Client.InstanceInitiatedShutdown", Outcome::infra, true},
        Row{WorkerState::starting, "Client.VolumeLimitExceeded", Outcome::infra, true},
        Row{WorkerState::starting, "Client.InternalError", Outcome::infra, true},
        Row{WorkerState::active, "Client.UserInitiatedShutdown", Outcome::interruption, false},
        Row{WorkerState::draining, "Client.InstanceInitiatedShutdown", Outcome::interruption, false},
        Row{WorkerState::draining, "Client.InstanceInitiatedShutdown", Outcome::interruption, false, true},
        Row{WorkerState::draining, "", Outcome::interruption, false, true},
        Row{WorkerState::active, "Client.InstanceInitiatedShutdown", Outcome::interruption, false, true},
        Row{WorkerState::terminating, "Client.UserInitiatedShutdown", Outcome::interruption, false},
        Row{WorkerState::active, "", Outcome::infra, true},
        Row{WorkerState::active, "Something.New", Outcome::infra, true}}) {
    const MachineVerdict verdict = classify_end({row.worker, row.noticed, row.reason});
    EXPECT_EQ(to_string(verdict.outcome), to_string(row.outcome)) << row.reason;
    EXPECT_EQ(verdict.counts_against_image, row.image) << row.reason;
    EXPECT_NE(verdict.reason.find(row.reason), std::string::npos);
  }
}

TEST(ClassifyEnd, AWorkerThatBrokeIsFreeOnlyWhenItsEndWasAnnouncedOrAskedFor) {
  EXPECT_EQ(outcome_of_broken_worker(WorkerState::active, false), Outcome::infra);
  EXPECT_EQ(outcome_of_broken_worker(WorkerState::active, true), Outcome::interruption);
  EXPECT_EQ(outcome_of_broken_worker(WorkerState::draining, false), Outcome::interruption);
  EXPECT_EQ(outcome_of_broken_worker(WorkerState::terminating, false), Outcome::interruption);
}

TEST(NoticeEnd, IsTheNoticesTimeWhereThatMakesSense) {
  const WallTime now = *parse_rfc3339("2026-03-01T12:00:00Z");
  const auto left = [&](const char* notice) {
    return std::chrono::duration_cast<Seconds>(notice_end(notice, now) - now).count();
  };
  EXPECT_EQ(left(R"({"action":"terminate","time":"2026-03-01T12:01:30Z"})"), 90);
  EXPECT_EQ(left(R"({"action":"terminate","time":"2026-03-01T11:00:00Z"})"), 0) << "a clock is wrong";
  EXPECT_EQ(left(R"({"action":"terminate","time":"2027-03-01T11:00:00Z"})"), 600) << "a clock is wrong";
  for (const char* unreadable : {"", "the worker was told to stop", "{}", "[]", R"({"time":5})",
                                 R"({"time":"soon"})", R"({"action":"terminate")"}) {
    EXPECT_EQ(left(unreadable), 120) << unreadable;
  }
}

TEST(LostWorkers, AnAbsentMachineThatNeverRegisteredSaysNothingAgainstItsImage) {
  for (const bool listed : {true, false}) {
    Fleet fleet;
    fleet.pool("p", 50).registration_timeout = Seconds{86'400};
    for (int id = 1; id <= kBadImageWorkers; ++id) {
      fleet.worker(id, "p", WorkerState::starting);
      if (listed) fleet.list(id, InstanceState::terminated);
      fleet.seen.looked_up[instance_id(id)] = std::nullopt;
    }
    fleet.settle();
    for (int i = 0; i < 3; ++i) {
      fleet.tick();
      fleet.pass(Seconds{60});
    }
    EXPECT_EQ(fleet.seen.memory.trust["p"].failed.size(), listed ? kBadImageWorkers : 0U) << listed;
  }
}

TEST(LostWorkers, ANoticedMachineIsLeftToTheCloudAndEndedFiveMinutesAfterItsTime) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.worker(1, "p", WorkerState::draining).registered = true;
  fleet.seen.workers[0].idle_for = Seconds{60};  // a drained machine without a notice is ended after ten
  fleet.seen.workers[0].silent_for = Seconds{3600};
  fleet.seen.workers[0].notice_until = fleet.seen.now + Seconds{120};
  fleet.list(1);
  fleet.settle();
  EXPECT_TRUE(fleet.tick().actions.empty());
  fleet.pass(Seconds{419});
  const Plan waiting = fleet.tick();
  EXPECT_TRUE(waiting.actions.empty());
  EXPECT_EQ(waiting.next_wake, Millis{1000});
  fleet.pass(Seconds{1});
  const auto ended = all<Terminate>(fleet.tick());
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_TRUE(ended[0].mark);
  EXPECT_NE(ended[0].reason.find("notice"), std::string::npos);
}

TEST(LostWorkers, ListedAsGoneIsGoneNow) {
  for (const InstanceState state : {InstanceState::shutting_down, InstanceState::terminated,
                                    InstanceState::stopping, InstanceState::stopped}) {
    Fleet fleet;
    fleet.pool("p", 5);
    fleet.busy(1, "p");
    fleet.list(1, state, "Server.SpotInstanceTermination");
    const auto lost = all<LoseWorker>(fleet.tick());
    ASSERT_EQ(lost.size(), 1U) << to_string(state);
    EXPECT_EQ(lost[0].worker.value, 1);
    EXPECT_EQ(lost[0].outcome, Outcome::interruption);
  }
}

TEST(LostWorkers, MoreInOneLookThanIsCredibleAreMarked) {
  for (const int lost : {3, 4}) {
    Fleet fleet;
    fleet.pool("p", 10);
    for (int id = 1; id <= 10; ++id) {
      fleet.busy(id, "p");
      fleet.list(id, id <= lost ? InstanceState::terminated : InstanceState::running);
    }
    fleet.worker(11, "p", WorkerState::terminating);  // asked for: not counted
    fleet.list(11, InstanceState::terminated);
    const auto losses = all<LoseWorker>(fleet.tick());
    ASSERT_EQ(losses.size(), static_cast<std::size_t>(lost));
    for (const LoseWorker& loss : losses) EXPECT_EQ(loss.with_many, lost > 3) << lost;
  }
}

TEST(LostWorkers, ListedTwiceTheEndIsTheLaterWord) {
  for (const bool end_first : {true, false}) {
    Fleet fleet;
    fleet.pool("p", 5);
    fleet.busy(1, "p");
    fleet.list(1, end_first ? InstanceState::terminated : InstanceState::running);
    fleet.list(1, end_first ? InstanceState::running : InstanceState::terminated);
    EXPECT_EQ(all<LoseWorker>(fleet.tick()).size(), 1U) << end_first;
  }
}

TEST(LostWorkers, AreReplacedInTheSamePlan) {
  Fleet fleet;
  fleet.pool("p", 1);
  fleet.busy(1, "p");
  fleet.list(1, InstanceState::terminated, "Server.SpotInstanceTermination");
  fleet.seen.ready["p"] = 1;
  const Plan plan = fleet.tick();
  EXPECT_EQ(all<LoseWorker>(plan).size(), 1U);
  EXPECT_EQ(all<InsertLaunch>(plan).size(), 1U);
}

TEST(LostWorkers, ATerminatingWorkerSeenGoneIsMarkedGone) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.worker(1, "p", WorkerState::terminating);
  fleet.list(1, InstanceState::terminated, "Client.UserInitiatedShutdown");
  const Plan plan = fleet.tick();
  ASSERT_EQ(plan.actions.size(), 1U);
  EXPECT_EQ(all<MarkGone>(plan).at(0).worker.value, 1);
}

// One worker of many, absent from the listing from now on and silent.
Fleet with_one_absent() {
  Fleet fleet;
  fleet.pool("p", 50);
  for (int id = 1; id <= 10; ++id) {
    fleet.busy(id, "p");
    if (id != 7) fleet.list(id);
  }
  fleet.seen.workers[6].silent_for = Seconds{100};
  fleet.settle();
  return fleet;
}

TEST(LostWorkers, AbsenceNeedsListingsTimeAndALook) {
  Fleet fleet = with_one_absent();
  EXPECT_TRUE(fleet.tick().actions.empty()) << "first listing";
  fleet.pass(Seconds{100});
  EXPECT_TRUE(fleet.tick().actions.empty()) << "long enough, but only two listings";
  fleet.pass(Seconds{1});
  const Plan asking = fleet.tick();
  ASSERT_EQ(asking.actions.size(), 1U);
  EXPECT_EQ(all<LookUp>(asking).at(0).instance_ids, std::vector<std::string>{instance_id(7)});
  fleet.seen.looked_up[instance_id(7)] = std::nullopt;
  const auto lost = all<LoseWorker>(fleet.tick());
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_EQ(lost[0].worker.value, 7);
  EXPECT_EQ(lost[0].outcome, Outcome::infra) << "nobody says why";
}

TEST(LostWorkers, ManyListingsInAMomentAreNotEnough) {
  Fleet fleet = with_one_absent();
  fleet.seen.looked_up[instance_id(7)] = std::nullopt;
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(fleet.tick().actions.empty());
    fleet.pass(Seconds{1});
  }
}

TEST(LostWorkers, AJumpOfTheWallClockMovesNothing) {
  Fleet fleet = with_one_absent();
  fleet.worker(11, "p", WorkerState::starting);
  fleet.list(11);
  fleet.seen.looked_up[instance_id(7)] = std::nullopt;
  for (int i = 0; i < 5; ++i) {
    fleet.seen.now += Seconds{3600};
    EXPECT_TRUE(fleet.tick().actions.empty());
  }
}

TEST(LostWorkers, OneListingThatHasItStartsOver) {
  Fleet fleet = with_one_absent();
  fleet.seen.looked_up[instance_id(7)] = std::nullopt;
  fleet.tick();
  fleet.pass(Seconds{50});
  fleet.tick();
  fleet.list(7);
  fleet.pass(Seconds{50});
  fleet.tick();
  fleet.seen.listing->pop_back();
  fleet.pass(Seconds{50});
  EXPECT_TRUE(fleet.tick().actions.empty());
  EXPECT_EQ(fleet.seen.memory.absent.at(WorkerId{7}).listings, 1);
}

TEST(LostWorkers, AFreshHeartbeatOutweighsTheListing) {
  Fleet fleet = with_one_absent();
  fleet.seen.workers[6].silent_for = Seconds{3};
  fleet.seen.looked_up[instance_id(7)] = std::nullopt;
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(fleet.tick().actions.empty());
    fleet.pass(Seconds{30});
  }
}

TEST(LostWorkers, TheDirectLookDecides) {
  Fleet fleet = with_one_absent();
  for (int i = 0; i < 2; ++i) {
    fleet.tick();
    fleet.pass(Seconds{40});
  }
  Instance there;
  there.id = instance_id(7);
  there.state = InstanceState::running;
  fleet.seen.looked_up[instance_id(7)] = there;
  EXPECT_TRUE(plan(fleet.seen).actions.empty()) << "running, only its tag is not found";
  there.state = InstanceState::terminated;
  there.state_reason = "Client.InstanceInitiatedShutdown";
  fleet.seen.looked_up[instance_id(7)] = there;
  EXPECT_EQ(all<LoseWorker>(plan(fleet.seen)).at(0).outcome, Outcome::infra);
}

TEST(LostWorkers, NotJudgedByAListingThatMayBeOlder) {
  Fleet fleet = with_one_absent();
  fleet.seen.workers[6].known_before = false;
  fleet.seen.looked_up[instance_id(7)] = std::nullopt;
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(fleet.tick().actions.empty());
    fleet.pass(Seconds{30});
  }
}

TEST(LostWorkers, ANewMachineMayBeListedLate) {
  Fleet fleet = with_one_absent();
  fleet.seen.memory.first_seen.erase(WorkerId{7});
  fleet.seen.memory.listed.erase(WorkerId{7});
  fleet.tick();
  fleet.pass(kConsistencyWindow - Seconds{1});
  fleet.tick();
  EXPECT_FALSE(fleet.seen.memory.absent.contains(WorkerId{7}));
  fleet.pass(Seconds{1});
  fleet.tick();
  EXPECT_TRUE(fleet.seen.memory.absent.contains(WorkerId{7}));
}

TEST(LostWorkers, ForeignIdsAndOtherProvidersAreNeverJudged) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.pool("n", 5).provider = Provider::none;
  fleet.busy(1, "p").instance_id = "i-0123abcd-2";
  fleet.busy(2, "n");
  fleet.seen.looked_up = {{"i-0123abcd-2", std::nullopt}, {instance_id(2), std::nullopt}};
  fleet.settle();
  for (auto& worker : fleet.seen.workers) worker.silent_for = Seconds{1000};
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(fleet.tick().actions.empty());
    fleet.pass(Seconds{30});
  }
}

TEST(Freeze, AnEmptyListingOfALargeFleetMovesNothing) {
  Fleet fleet;
  fleet.pool("p", 100);
  for (int id = 1; id <= 50; ++id) {
    fleet.busy(id, "p").silent_for = Seconds{500};
    fleet.seen.looked_up[instance_id(id)] = std::nullopt;
  }
  fleet.settle();
  fleet.seen.ready["p"] = 10;
  for (int i = 0; i < 20; ++i) {
    const Plan plan = fleet.tick();
    EXPECT_TRUE(plan.actions.empty());
    EXPECT_TRUE(noted(plan, NoteKind::frozen, "p"));
    EXPECT_NE(plan.frozen.find("50 of 50"), std::string::npos) << plan.frozen;
    fleet.pass(Seconds{30});
  }
}

TEST(Freeze, TheThresholdIsTheLargerOfNumberAndShare) {
  struct Row {
    int fleet;
    int absent;
    bool frozen;
  };
  for (const Row row : {Row{4, 3, false}, Row{4, 4, true}, Row{20, 6, false}, Row{20, 7, true}}) {
    Fleet fleet;
    fleet.pool("p", 100);
    for (int id = 1; id <= row.fleet; ++id) {
      fleet.busy(id, "p");
      if (id > row.absent) fleet.list(id);
    }
    fleet.settle();
    EXPECT_EQ(!fleet.tick().frozen.empty(), row.frozen) << row.absent << " of " << row.fleet;
  }
}

TEST(Freeze, AMassOfMachinesListedAsTerminatedIsNews) {
  Fleet fleet;
  fleet.pool("p", 100);
  for (int id = 1; id <= 50; ++id) {
    fleet.busy(id, "p");
    fleet.list(id, InstanceState::terminated, "Server.SpotInstanceTermination");
  }
  fleet.settle();
  const Plan plan = fleet.tick();
  EXPECT_TRUE(plan.frozen.empty());
  EXPECT_EQ(all<LoseWorker>(plan).size(), 50U);
}

TEST(Freeze, LaunchesAreHeldToo) {
  Fleet fleet;
  fleet.pool("p", 100);
  for (int id = 1; id <= 5; ++id) fleet.busy(id, "p");
  fleet.settle();
  fleet.launch(1, "p", 1);
  EXPECT_TRUE(fleet.tick().actions.empty());
}

TEST(NoListing, NothingMovesAndNothingIsCounted) {
  Fleet fleet = with_one_absent();
  fleet.worker(20, "p", WorkerState::terminating);
  fleet.launch(1, "p", 1);
  fleet.tick();
  fleet.seen.listing.reset();
  fleet.seen.listing_error = {CloudErrorClass::throttle, "RequestLimitExceeded", "slow down"};
  const PlannerMemory before = fleet.seen.memory;
  for (int i = 0; i < 20; ++i) {
    fleet.pass(Seconds{3600});
    const Plan plan = fleet.tick();
    EXPECT_TRUE(plan.actions.empty());
    EXPECT_EQ(plan.notes.at(0).error, fleet.seen.listing_error);
  }
  EXPECT_EQ(fleet.seen.memory, before);
}

}  // namespace
}  // namespace drover::core
