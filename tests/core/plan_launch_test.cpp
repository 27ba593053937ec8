#include <gtest/gtest.h>

#include "fleet_builder.hpp"

namespace drover::core {
namespace {

using testing::all;
using testing::Fleet;
using testing::instance_id;
using testing::noted;

TEST(Launches, AnUnansweredIntentIsCalled) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.launch(3, "p", 2);
  const Plan plan = fleet.tick();
  ASSERT_EQ(plan.actions.size(), 1U);
  EXPECT_EQ(all<CallLaunch>(plan).at(0).launch.value, 3);
}

TEST(Launches, ALostReplyIsAdoptedFromTheListing) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.launch(3, "p", 2);
  fleet.list(8).client_token = "token-3";
  fleet.list(9, InstanceState::pending).client_token = "token-3";
  const Plan plan = fleet.tick();
  ASSERT_EQ(plan.actions.size(), 1U);
  const auto adopted = all<AdoptInstances>(plan).at(0);
  EXPECT_EQ(adopted.launch.value, 3);
  ASSERT_EQ(adopted.instances.size(), 2U);
  EXPECT_EQ(adopted.instances[0].id, instance_id(8));
}

TEST(Launches, NeverMoreInstancesThanTheIntentCounts) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.launch(3, "p", 2).instances = 1;
  fleet.list(8).client_token = "token-3";
  fleet.list(9).client_token = "token-3";
  EXPECT_EQ(all<AdoptInstances>(fleet.tick()).at(0).instances.size(), 1U);
}

TEST(Launches, RetriesWaitTheirTimeAndKeepTheIntent) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.launch(3, "p", 1);
  fleet.seen.ready["p"] = 1;
  fleet.seen.outcomes.tries[LaunchId{3}] = {2, fleet.seen.steady + Seconds{4}};
  const Plan waiting = fleet.tick();
  EXPECT_TRUE(waiting.actions.empty());
  EXPECT_EQ(waiting.next_wake, Millis{4000});
  EXPECT_TRUE(noted(waiting, NoteKind::retry, "p"));
  fleet.pass(Seconds{4});
  EXPECT_EQ(all<CallLaunch>(fleet.tick()).size(), 1U);
}

TEST(Launches, AStrugglingIntentNobodyWantsIsClosed) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.launch(3, "p", 1);
  fleet.launch(4, "p", 1);
  fleet.seen.outcomes.tries[LaunchId{3}] = {2, fleet.seen.steady};
  fleet.seen.outcomes.tries[LaunchId{4}] = {2, fleet.seen.steady};
  fleet.seen.ready["p"] = 1;
  const Plan plan = fleet.tick();
  ASSERT_EQ(all<CloseLaunch>(plan).size(), 1U) << "one of the two is wanted";
  EXPECT_EQ(all<CloseLaunch>(plan)[0].launch.value, 3);
  EXPECT_EQ(all<CallLaunch>(plan).at(0).launch.value, 4);
}

TEST(Launches, ClosedWhenItsMachinesHaveEndedOrItsPoolIsGoneOrItIsOld) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.launch(1, "p", 1);
  fleet.launch(2, "gone", 1);
  fleet.launch(3, "p", 1);
  fleet.list(8, InstanceState::terminated).client_token = "token-1";
  fleet.seen.memory.launch_seen[LaunchId{3}] = fleet.seen.steady - kLaunchLife;
  const Plan plan = fleet.tick();
  EXPECT_EQ(all<CloseLaunch>(plan).size(), 3U);
  EXPECT_TRUE(all<CallLaunch>(plan).empty());
}

// Its reply was lost, and one of its machines was taken back before the others were listed.
TEST(Launches, APartlyEndedOneIsAskedAgainAndNotClosed) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.launch(1, "p", 3);
  fleet.seen.ready["p"] = 3;
  fleet.list(7, InstanceState::terminated).client_token = "token-1";
  const Plan plan = fleet.tick();
  EXPECT_TRUE(all<CloseLaunch>(plan).empty());
  EXPECT_TRUE(all<InsertLaunch>(plan).empty());
  EXPECT_EQ(all<CallLaunch>(plan).size(), 1U) << "the cloud's answer names them all";
  fleet.list(8).client_token = "token-1";
  fleet.list(9).client_token = "token-1";
  EXPECT_EQ(all<AdoptInstances>(fleet.tick()).at(0).instances.size(), 2U);
  fleet.seen.listing->clear();
  for (int id = 7; id <= 9; ++id) fleet.list(id, InstanceState::terminated).client_token = "token-1";
  EXPECT_EQ(all<CloseLaunch>(fleet.tick()).size(), 1U) << "all have ended";
}

TEST(Launches, WhatIsClosedMakesRoomInTheSamePlan) {
  Fleet fleet;
  fleet.pool("p", 1);
  fleet.launch(1, "p", 1);
  fleet.list(8, InstanceState::terminated).client_token = "token-1";
  fleet.seen.ready["p"] = 1;
  const Plan plan = fleet.tick();
  EXPECT_EQ(all<CloseLaunch>(plan).size(), 1U);
  EXPECT_EQ(all<InsertLaunch>(plan).size(), 1U);
}

TEST(Launches, PausedHoldsTheCallButNotTheAdoption) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.launch(1, "p", 1);
  fleet.seen.paused = true;
  EXPECT_TRUE(fleet.tick().actions.empty());
  fleet.list(8).client_token = "token-1";
  EXPECT_EQ(all<AdoptInstances>(fleet.tick()).size(), 1U);
}

TEST(Orphans, OursAndNobodysIsTerminatedAfterTheGrace) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.list(8).launched_at = fleet.seen.now - Seconds{60};
  EXPECT_TRUE(fleet.tick().actions.empty());
  fleet.pass(Seconds{59});
  EXPECT_TRUE(fleet.tick().actions.empty());
  fleet.pass(Seconds{1});
  const auto ended = all<Terminate>(fleet.tick());
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].instance_id, instance_id(8));
  EXPECT_EQ(ended[0].worker.value, 0);
}

TEST(Orphans, OneListingIsNotEnough) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.list(8);
  EXPECT_TRUE(fleet.tick().actions.empty());
  EXPECT_EQ(all<Terminate>(fleet.tick()).size(), 1U);
}

TEST(Orphans, OthersAreNeverTouched) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.list(8).tags.clear();
  fleet.list(9).tags = {{std::string(kDeploymentTag), "another"}};
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(fleet.tick().actions.empty());
    fleet.pass(Seconds{600});
  }
}

TEST(Orphans, AWorkerThatIsGoneForGoodIsNotAdoptedAgain) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.launch(1, "p", 2, LaunchState::fulfilled).instances = 1;
  fleet.list(8).client_token = "token-1";
  EXPECT_EQ(all<AdoptInstances>(fleet.tick()).size(), 1U);
  fleet.seen.outcomes.ended.insert(instance_id(8));
  fleet.tick();
  EXPECT_EQ(all<Terminate>(fleet.tick()).size(), 1U);
}

TEST(Orphans, AStoppedMachineOfNobodyIsPaidForAndEnded) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.list(8, InstanceState::stopped);
  fleet.list(9, InstanceState::shutting_down);
  fleet.list(10, InstanceState::terminated);
  fleet.tick();
  const auto ended = all<Terminate>(fleet.tick());
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].instance_id, instance_id(8));
}

TEST(Endings, TerminatingIsAskedAgainUntilSeenGone) {
  Fleet fleet;
  fleet.pool("p", 5);
  fleet.worker(1, "p", WorkerState::terminating);
  fleet.list(1);
  EXPECT_EQ(all<Terminate>(fleet.tick()).size(), 1U);
  const Plan soon = fleet.tick();
  EXPECT_TRUE(soon.actions.empty()) << "a moment later";
  fleet.pass(kTerminateRetry);
  const auto again = all<Terminate>(fleet.tick());
  ASSERT_EQ(again.size(), 1U);
  EXPECT_FALSE(again[0].mark);
}

TEST(Endings, AMachineThatNeverRegistersIsTerminatedAndCounted) {
  Fleet fleet;
  auto& pool = fleet.pool("p", 5);
  pool.registration_timeout = Seconds{100};
  fleet.worker(1, "p", WorkerState::starting);
  fleet.list(1);
  EXPECT_EQ(fleet.tick().actions.size(), 0U);
  fleet.pass(Seconds{100});
  const auto ended = all<Terminate>(fleet.tick());
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_TRUE(ended[0].mark);
  EXPECT_EQ(fleet.seen.memory.trust.at("p").failed.size(), 1U);
}

TEST(Endings, ThreeInARowBlockThePool) {
  Fleet fleet;
  fleet.pool("p", 5).registration_timeout = Seconds{100};
  for (int id = 1; id <= 3; ++id) {
    fleet.worker(id, "p", WorkerState::starting);
    fleet.list(id);
  }
  fleet.tick();
  fleet.pass(Seconds{100});
  const auto blocked = all<BlockPool>(fleet.tick());
  ASSERT_EQ(blocked.size(), 1U);
  EXPECT_EQ(blocked[0].pool, "p");
  EXPECT_NE(blocked[0].reason.find("bad image"), std::string::npos);
  EXPECT_NE(blocked[0].reason.find("ami-1"), std::string::npos);
  fleet.seen.pools[0].blocked_reason = blocked[0].reason;
  EXPECT_TRUE(all<BlockPool>(fleet.tick()).empty());
  fleet.seen.pools[0].blocked_reason.clear();  // edited by its owner
  fleet.seen.pools[0].version = 2;
  EXPECT_TRUE(all<BlockPool>(fleet.tick()).empty());
}

TEST(Endings, ARegistrationInBetweenClearsTheImage) {
  Fleet fleet;
  fleet.pool("p", 9).registration_timeout = Seconds{100};
  for (int id : {1, 2, 4}) {
    fleet.worker(id, "p", WorkerState::starting);
    fleet.list(id);
  }
  fleet.worker(3, "p");
  fleet.list(3);
  fleet.tick();
  fleet.pass(Seconds{100});
  EXPECT_TRUE(all<BlockPool>(fleet.tick()).empty());
  EXPECT_TRUE(all<BlockPool>(fleet.tick()).empty());
  EXPECT_EQ(fleet.seen.memory.trust.at("p").failed, std::set<WorkerId>{WorkerId{4}});
}

TEST(Endings, OnlyFailuresInARowCount) {
  for (const bool edited : {false, true}) {
    Fleet fleet;
    fleet.pool("p", 9).registration_timeout = Seconds{100};
    for (int id = 1; id <= 2; ++id) {
      fleet.worker(id, "p", WorkerState::starting);
      fleet.list(id, InstanceState::terminated, "Client.InternalError");
    }
    fleet.tick();
    EXPECT_EQ(fleet.seen.memory.trust.at("p").failed.size(), 2U);
    fleet.seen.workers.clear();
    fleet.seen.listing->clear();
    if (edited) {
      fleet.seen.pools[0].version = 2;
    } else {
      fleet.worker(3, "p");
      fleet.list(3);
    }
    fleet.worker(4, "p", WorkerState::starting);
    fleet.list(4, InstanceState::terminated, "Client.InternalError");
    fleet.tick();
    EXPECT_TRUE(all<BlockPool>(fleet.tick()).empty()) << edited;
  }
}

TEST(Endings, AnEditedPoolIsNotJudgedByMachinesOfBefore) {
  Fleet fleet;
  fleet.pool("p", 9).registration_timeout = Seconds{100};
  for (int id = 1; id <= 3; ++id) {
    fleet.worker(id, "p", WorkerState::starting);
    fleet.list(id);
  }
  fleet.tick();
  fleet.seen.pools[0].version = 2;
  fleet.tick();
  fleet.pass(Seconds{100});
  const Plan plan = fleet.tick();
  EXPECT_EQ(all<Terminate>(plan).size(), 3U);
  EXPECT_TRUE(all<BlockPool>(plan).empty());
}

TEST(Endings, MachinesThatShutDownBeforeTheyRegisterCountToo) {
  Fleet fleet;
  fleet.pool("p", 9);
  for (int id = 1; id <= 3; ++id) {
    fleet.worker(id, "p", WorkerState::starting);
    fleet.list(id, InstanceState::terminated, "Client.InstanceInitiatedShutdown");
  }
  EXPECT_EQ(all<BlockPool>(fleet.tick()).size(), 1U);
}

TEST(Endings, SpotInterruptionsBeforeRegistrationDoNot) {
  Fleet fleet;
  fleet.pool("p", 9);
  for (int id = 1; id <= 5; ++id) {
    fleet.worker(id, "p", WorkerState::starting);
    fleet.list(id, InstanceState::terminated, "Server.SpotInstanceTermination");
  }
  EXPECT_TRUE(all<BlockPool>(fleet.tick()).empty());
}

TEST(Endings, ADrainedWorkerEndsWhenItHasUploaded) {
  Fleet fleet;
  fleet.pool("p", 9);
  fleet.worker(1, "p", WorkerState::draining).idle_for = kDrainedGrace - Seconds{1};
  fleet.list(1);
  EXPECT_TRUE(fleet.tick().actions.empty());
  fleet.seen.workers[0].idle_for = kDrainedGrace;
  EXPECT_EQ(all<Terminate>(fleet.tick()).size(), 1U);
  fleet.pass(Seconds{60});
  fleet.seen.workers[0].leases = 1;
  EXPECT_TRUE(fleet.tick().actions.empty());
}

TEST(Launches, AnUnansweredOneThatIsCalledIsChargedBeforeNewOnes) {
  Fleet fleet;
  fleet.seen.tunables.max_launches_per_minute = 4;
  fleet.pool("p", 9);
  fleet.launch(1, "p", 3);
  fleet.seen.ready["p"] = 9;
  const auto asked = all<InsertLaunch>(fleet.tick());
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].count, 1);
  fleet.seen.outcomes.launched[LaunchId{1}] = {fleet.seen.steady, 4};
  EXPECT_TRUE(all<InsertLaunch>(fleet.tick()).empty());
  fleet.pass(Seconds{60});
  EXPECT_EQ(all<InsertLaunch>(fleet.tick()).size(), 1U) << "what came a minute ago is not counted";
}

}  // namespace
}  // namespace drover::core
