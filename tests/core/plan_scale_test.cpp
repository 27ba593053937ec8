#include <gtest/gtest.h>

#include "fleet_builder.hpp"

namespace drover::core {
namespace {

using testing::all;
using testing::Fleet;
using testing::noted;

int asked_for(const Plan& plan) {
  int sum = 0;
  for (const auto& launch : all<InsertLaunch>(plan)) sum += launch.count;
  return sum;
}

TEST(ScaleOut, WantedFollowsTheQueueDepth) {
  struct Row {
    const char* name;
    std::int64_t ready;
    int slots;
    double per_job;
    int max;
    int wanted;
  };
  for (const Row& row :
       {Row{"nothing to do", 0, 1, 1.0, 10, 0}, Row{"one job", 1, 1, 1.0, 10, 1},
        Row{"rounds up", 9, 4, 1.0, 10, 3}, Row{"exactly", 8, 4, 1.0, 10, 2},
        Row{"one machine for ten jobs", 21, 1, 0.1, 10, 3}, Row{"two machines a job", 3, 1, 2.0, 10, 6},
        Row{"max", 500, 1, 1.0, 7, 7}, Row{"thirds are exact", 9, 3, 1.0, 10, 3}}) {
    Fleet fleet;
    auto& pool = fleet.pool("p", row.max);
    pool.slots = row.slots;
    pool.instances_per_job = row.per_job;
    fleet.seen.ready["p"] = row.ready;
    EXPECT_EQ(asked_for(fleet.tick()), row.wanted) << row.name;
  }
}

TEST(ScaleOut, ASuspectWantsAMachineOfItsOwn) {
  struct Row {
    const char* name;
    int ready, suspects;        // of slots 4 each
    int busy, alone, starting;  // machines that are there
    int asked_for;
  };
  for (const Row& row : {
           Row{"as many machines as suspects", 3, 3, 0, 0, 0, 3},
           Row{"beside one for the others", 8, 3, 0, 0, 0, 3 + 2},
           Row{"a busy machine is none for it, though it has room", 1, 1, 1, 0, 0, 1},
           Row{"nor is one that another suspect has", 1, 1, 0, 1, 0, 1},
           Row{"one that is on its way is", 1, 1, 1, 0, 1, 0},
           Row{"the machine of a suspect is none for others", 4, 0, 0, 1, 0, 1},
           Row{"nor for them when all wait", 5, 1, 0, 1, 1, 1},
       }) {
    Fleet fleet;
    fleet.pool("p", 10).slots = 4;
    std::int64_t id = 0;
    for (int i = 0; i < row.busy; ++i) fleet.busy(++id, "p");
    for (int i = 0; i < row.alone; ++i) fleet.busy(++id, "p").alone = true;
    for (int i = 0; i < row.starting; ++i) fleet.worker(++id, "p", WorkerState::starting);
    for (; id > 0; --id) fleet.list(id);
    fleet.seen.ready["p"] = row.ready;
    fleet.seen.suspects["p"] = row.suspects;
    EXPECT_EQ(asked_for(fleet.tick()), row.asked_for) << row.name;
  }
}

TEST(ScaleOut, SuspectsWantNoMoreThanMax) {
  Fleet fleet;
  fleet.pool("p", 2).slots = 4;
  fleet.seen.ready["p"] = 9;
  fleet.seen.suspects["p"] = 5;
  const Plan plan = fleet.tick();
  EXPECT_EQ(asked_for(plan), 2);
  EXPECT_TRUE(noted(plan, NoteKind::at_max, "p"));
}

TEST(ScaleOut, RunningJobsKeepTheirMachines) {
  Fleet fleet;
  fleet.pool("p", 10);
  fleet.busy(1, "p");
  fleet.busy(2, "p");
  fleet.list(1);
  fleet.list(2);
  fleet.seen.ready["p"] = 3;
  const Plan plan = fleet.tick();
  EXPECT_EQ(asked_for(plan), 3);
  EXPECT_EQ(plan.pools.at(0).wanted, 5);
}

TEST(ScaleOut, StartingWorkersAndLaunchesUnderWayCount) {
  Fleet fleet;
  fleet.pool("p", 10);
  fleet.worker(1, "p", WorkerState::starting);
  fleet.list(1);
  fleet.launch(1, "p", 3).instances = 1;
  fleet.seen.ready["p"] = 4;
  EXPECT_EQ(asked_for(fleet.tick()), 1);
}

TEST(ScaleOut, MachinesOnTheirWayOutCountForMaxButNotAsCapacity) {
  Fleet fleet;
  fleet.pool("p", 3);
  fleet.worker(1, "p", WorkerState::terminating);
  fleet.worker(2, "p", WorkerState::draining).leases = 1;
  fleet.list(1);
  fleet.list(2);
  fleet.seen.ready["p"] = 5;
  EXPECT_EQ(asked_for(fleet.tick()), 1);
}

TEST(ScaleOut, MinIsKeptWithoutWork) {
  Fleet fleet;
  fleet.pool("p", 5, 2);
  EXPECT_EQ(asked_for(fleet.tick()), 2);
}

TEST(ScaleOut, OneTickAsksForNoMoreThanMaxIncrease) {
  Fleet fleet;
  fleet.pool("p", 100).max_increase = 4;
  fleet.seen.ready["p"] = 100;
  EXPECT_EQ(asked_for(fleet.tick()), 4);
}

TEST(ScaleOut, TheBudgetOfAMinuteBindsOverAllPools) {
  Fleet fleet;
  fleet.seen.tunables.max_launches_per_minute = 5;
  fleet.pool("a", 100).max_increase = 100;
  fleet.pool("b", 100).max_increase = 100;
  fleet.seen.ready = {{"a", 3}, {"b", 30}};
  const Plan plan = fleet.tick();
  EXPECT_EQ(asked_for(plan), 5);
  EXPECT_TRUE(noted(plan, NoteKind::budget, "b"));
  fleet.seen.outcomes.launched[LaunchId{1}] = {fleet.seen.steady, 5};
  fleet.pass(Seconds{59});
  EXPECT_EQ(asked_for(fleet.tick()), 0);
  fleet.pass(Seconds{1});
  EXPECT_EQ(asked_for(fleet.tick()), 5);
}

TEST(ScaleOut, AtMaxItSaysSo) {
  Fleet fleet;
  fleet.pool("p", 1);
  fleet.busy(1, "p");
  fleet.list(1);
  fleet.seen.ready["p"] = 1;
  const Plan plan = fleet.tick();
  EXPECT_TRUE(plan.actions.empty());
  EXPECT_TRUE(noted(plan, NoteKind::at_max, "p"));
}

TEST(ScaleOut, PausedBlockedStandbyAndNoListingLaunchNothing) {
  for (int i = 0; i < 4; ++i) {
    Fleet fleet;
    fleet.pool("p", 5);
    fleet.seen.ready["p"] = 5;
    if (i == 0) fleet.seen.paused = true;
    if (i == 1) fleet.seen.pools[0].blocked_reason = "bad image";
    if (i == 2) fleet.seen.leading = false;
    if (i == 3) fleet.seen.listing.reset();
    const Plan plan = fleet.tick();
    EXPECT_TRUE(plan.actions.empty()) << i;
    const NoteKind kinds[] = {NoteKind::paused, NoteKind::blocked, NoteKind::standby, NoteKind::no_cloud};
    EXPECT_TRUE(noted(plan, kinds[i], i < 2 ? "p" : "")) << i;
  }
}

TEST(ScaleOut, AQueueOfTwoPoolsIsCountedOnce) {
  Fleet fleet;
  fleet.pool("a", 2).queues = {"q"};
  fleet.pool("b", 5).queues = {"q"};
  fleet.seen.ready["q"] = 4;
  const auto launches = all<InsertLaunch>(fleet.tick());
  ASSERT_EQ(launches.size(), 2U);
  EXPECT_EQ(launches[0].count, 2);
  EXPECT_EQ(launches[1].pool, "b");
  EXPECT_EQ(launches[1].count, 2);
}

TEST(ScaleOut, MachinesThatAreThereTakeTheirShareFirst) {
  Fleet fleet;
  fleet.pool("a", 5).queues = {"q"};
  fleet.pool("b", 5).queues = {"q"};
  fleet.worker(1, "b");
  fleet.worker(2, "b");
  fleet.list(1);
  fleet.list(2);
  fleet.seen.ready["q"] = 3;
  const auto launches = all<InsertLaunch>(fleet.tick());
  ASSERT_EQ(launches.size(), 1U);
  EXPECT_EQ(launches[0].pool, "a");
  EXPECT_EQ(launches[0].count, 1);
}

TEST(ScaleOut, WithoutCapacityTheNextOfferingIsUsed) {
  Fleet fleet;
  auto& pool = fleet.pool("p", 5);
  pool.instance_types = {"m5.large", "c5.large"};
  pool.subnets = {"subnet-a", "subnet-b"};
  fleet.seen.ready["p"] = 1;
  const auto refuse = [&](const char* type, const char* subnet) {
    fleet.seen.health.refused({RefusalScope::capacity, false}, Offering{"p", type, subnet, Market::spot},
                              fleet.seen.steady,
                              {CloudErrorClass::pool, "InsufficientInstanceCapacity", "none"});
  };
  const auto next = [&] { return all<InsertLaunch>(plan(fleet.seen)).at(0); };
  EXPECT_EQ(next().subnet, "subnet-a");
  refuse("m5.large", "subnet-a");
  EXPECT_EQ(next().instance_type, "m5.large");
  EXPECT_EQ(next().subnet, "subnet-b");
  refuse("m5.large", "subnet-b");
  EXPECT_EQ(next().instance_type, "c5.large");
  refuse("c5.large", "subnet-a");
  fleet.pass(Seconds{5});
  refuse("c5.large", "subnet-b");
  const Plan stuck = plan(fleet.seen);
  EXPECT_TRUE(stuck.actions.empty());
  ASSERT_TRUE(noted(stuck, NoteKind::no_capacity, "p"));
  EXPECT_EQ(stuck.notes[0].next_try, Millis{10'000});
  EXPECT_LE(stuck.next_wake, Millis{10'000});
  fleet.pass(Seconds{10});
  EXPECT_EQ(next().subnet, "subnet-a");
}

TEST(ScaleOut, AMutedPoolLeavesItsShareToTheNext) {
  Fleet fleet;
  fleet.pool("a", 5).queues = {"q"};
  fleet.pool("b", 5).queues = {"q"};
  fleet.seen.ready["q"] = 2;
  fleet.seen.health.refused({RefusalScope::offering, true}, Offering{"a", "m5.large", {}, Market::spot},
                            fleet.seen.steady,
                            {CloudErrorClass::config, "InvalidAMIID.NotFound", "no such image"});
  const auto launches = all<InsertLaunch>(fleet.tick());
  ASSERT_EQ(launches.size(), 1U);
  EXPECT_EQ(launches[0].pool, "b");
}

// A quota of one family or a fault with one type says nothing of the next, and nothing of other pools.
TEST(ScaleOut, WhatIsRefusedForOneTypeIsAskedForInAnother) {
  for (const RefusalScope scope : {RefusalScope::capacity, RefusalScope::quota, RefusalScope::offering}) {
    Fleet fleet;
    fleet.pool("p", 5).instance_types = {"g5.xlarge", "c5.large"};
    fleet.pool("q", 5).instance_types = {"m5.large"};
    fleet.seen.ready = {{"p", 1}, {"q", 1}};
    fleet.seen.health.refused({scope, true}, Offering{"p", "g5.xlarge", {}, Market::spot}, fleet.seen.steady,
                              {CloudErrorClass::unknown, "Y", "z"});
    const auto launches = all<InsertLaunch>(fleet.tick());
    ASSERT_EQ(launches.size(), 2U);
    EXPECT_EQ(launches[0].instance_type, "c5.large");
    EXPECT_EQ(launches[1].instance_type, "m5.large");
  }
}

TEST(ScaleOut, APoolIsRefusedOnlyWhenAllItsOfferingsAre) {
  Fleet fleet;
  PoolSpec& pool = fleet.pool("p", 5);
  pool.instance_types = {"m5.large", "c5.large"};
  pool.subnets = {"s1", "s2"};
  fleet.seen.ready["p"] = 1;
  int refused = 0;
  for (const std::string& type : pool.instance_types) {
    for (const std::string& subnet : pool.subnets) {
      EXPECT_EQ(all<InsertLaunch>(plan(fleet.seen)).size(), 1U) << refused;
      fleet.seen.health.refused({RefusalScope::offering, true}, Offering{"p", type, subnet, Market::spot},
                                fleet.seen.steady,
                                {CloudErrorClass::config, "InvalidParameterValue", "no such thing"});
      ++refused;
    }
  }
  const Plan stuck = plan(fleet.seen);
  EXPECT_TRUE(stuck.actions.empty());
  EXPECT_TRUE(noted(stuck, NoteKind::refused, "p"));
}

TEST(ScaleOut, OtherProvidersAreLeftToOthers) {
  Fleet fleet;
  fleet.pool("n", 5, 2).provider = Provider::none;
  fleet.pool("g", 5, 2).provider = Provider::asg;
  fleet.seen.ready = {{"n", 9}, {"g", 9}};
  EXPECT_TRUE(fleet.tick().actions.empty());
}

TEST(ScaleIn, OldestIdleFirstDownToMin) {
  Fleet fleet;
  fleet.pool("p", 5, 1).idle_timeout = Seconds{100};
  for (const auto& [id, idle] : {std::pair(1, 150), {2, 300}, {3, 99}, {4, 150}}) {
    fleet.worker(id, "p").idle_for = Seconds{idle};
    fleet.list(id);
  }
  const Plan plan = fleet.tick();
  const auto cordoned = all<CordonIdle>(plan);
  ASSERT_EQ(cordoned.size(), 3U);
  EXPECT_EQ(cordoned[0].worker.value, 2);
  EXPECT_EQ(cordoned[1].worker.value, 1);
  EXPECT_EQ(cordoned[2].worker.value, 4);
  EXPECT_EQ(plan.actions.size(), 3U);
}

TEST(ScaleIn, NobodyIsIdleWhileThereIsWorkForIt) {
  Fleet fleet;
  PoolSpec& pool = fleet.pool("p", 5);
  pool.idle_timeout = Seconds{0};
  pool.queues = {"a", "b"};
  for (const int id : {1, 2}) {
    fleet.worker(id, "p");
    fleet.list(id);
  }
  const auto ended = [&] { return all<CordonIdle>(plan(fleet.seen)).size(); };
  EXPECT_EQ(ended(), 2U);
  fleet.seen.ready = {{"a", 0}, {"b", 1}};
  EXPECT_EQ(ended(), 0U);
  fleet.seen.paused = true;
  EXPECT_EQ(ended(), 2U) << "what a paused scheduler holds back is no work";
  fleet.seen.paused = false;
  fleet.seen.ready = {{"b", 0}, {"another's", 9}};
  EXPECT_EQ(ended(), 2U);
}

TEST(ScaleIn, AWorkerIsNotIdleBeforeItHasAskedForWork) {
  Fleet fleet;
  fleet.pool("p", 5).idle_timeout = Seconds{0};
  FleetWorker& worker = fleet.worker(1, "p");
  fleet.list(1);
  const auto ended = [&](std::optional<Millis> asked, Millis idle) {
    worker.asked_ago = asked;
    worker.idle_for = idle;
    return !all<CordonIdle>(plan(fleet.seen)).empty();
  };
  EXPECT_FALSE(ended({}, Millis{0})) << "registered a moment ago";
  EXPECT_FALSE(ended({}, Seconds{59}));
  EXPECT_FALSE(ended(Seconds{9}, Seconds{8})) << "it ended a job, and has not asked since";
  EXPECT_TRUE(ended(Seconds{8}, Seconds{8}));
  EXPECT_TRUE(ended({}, Seconds{60})) << "a lease term is time enough to ask";
}

// Such a worker would keep its place in a full pool for ever, and nobody would run what waits.
TEST(ScaleIn, AWorkerThatAsksNoMoreIsIdleThoughThereIsWork) {
  Fleet fleet;
  fleet.pool("p", 5).idle_timeout = Seconds{5};
  FleetWorker& worker = fleet.worker(1, "p");
  fleet.list(1);
  fleet.seen.ready["p"] = 1;
  worker.idle_for = Seconds{200};
  const auto ended = [&](std::optional<Millis> asked) {
    worker.asked_ago = asked;
    return !all<CordonIdle>(plan(fleet.seen)).empty();
  };
  EXPECT_TRUE(ended({}));
  EXPECT_TRUE(ended(Seconds{80}));
  EXPECT_FALSE(ended(Seconds{79}));
  EXPECT_FALSE(ended(Seconds{0}));
}

TEST(ScaleIn, WakesWhenTheNextWouldBeIdleLongEnough) {
  Fleet fleet;
  fleet.pool("p", 5).idle_timeout = Seconds{100};
  fleet.worker(1, "p").idle_for = Seconds{97};
  fleet.list(1);
  const Plan plan = fleet.tick();
  EXPECT_TRUE(plan.actions.empty());
  EXPECT_EQ(plan.next_wake, Millis{3000});
}

TEST(ScaleIn, BusyStartingAndDrainingWorkersStay) {
  Fleet fleet;
  fleet.pool("p", 9).idle_timeout = Seconds{0};
  fleet.busy(1, "p");
  fleet.worker(2, "p", WorkerState::starting);
  fleet.worker(3, "p", WorkerState::draining).leases = 1;
  for (int id = 1; id <= 3; ++id) fleet.list(id);
  EXPECT_TRUE(fleet.tick().actions.empty());
}

TEST(ScaleIn, AboveMaxTheIdleGoAtOnce) {
  Fleet fleet;
  fleet.pool("p", 1, 1).idle_timeout = Seconds{1000};
  fleet.busy(1, "p");
  fleet.worker(2, "p").idle_for = Millis{0};
  fleet.list(1);
  fleet.list(2);
  const auto cordoned = all<CordonIdle>(fleet.tick());
  ASSERT_EQ(cordoned.size(), 1U);
  EXPECT_EQ(cordoned[0].worker.value, 2);
}

}  // namespace
}  // namespace drover::core
