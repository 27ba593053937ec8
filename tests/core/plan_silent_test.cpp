#include <gtest/gtest.h>

#include "fleet_builder.hpp"

// Machines that the cloud lists as running, and whose worker says nothing.
namespace drover::core {
namespace {

using testing::all;
using testing::Fleet;
using testing::noted;

constexpr Seconds kTerm{60};  // lease_s, as it is unless changed

// A worker of pool "p" with nothing to do, last heard `silence` ago, and a job that waits.
Fleet with_silent(int max, Seconds silence) {
  Fleet fleet;
  fleet.pool("p", max);
  fleet.worker(1, "p").silent_for = silence;
  fleet.list(1);
  fleet.seen.ready["p"] = 1;
  return fleet;
}

TEST(Silent, AWorkerIsCapacityForOneTermAndReplacedAfterIt) {
  Fleet fleet = with_silent(2, kTerm - Seconds{1});
  const Plan before = fleet.tick();
  EXPECT_TRUE(before.actions.empty());
  EXPECT_EQ(before.pools.at(0).capacity, 1);
  EXPECT_EQ(before.next_wake, Millis{1000}) << "looks again when the term is over";
  fleet.seen.workers[0].silent_for = kTerm;
  const Plan after = fleet.tick();
  EXPECT_EQ(all<CordonIdle>(after).size(), 1U);
  EXPECT_EQ(all<InsertLaunch>(after).size(), 1U);
}

TEST(Silent, AtMaxItsPlaceIsFreeWhenItsMachineHasEnded) {
  Fleet fleet = with_silent(1, kTerm);
  const Plan given_up = fleet.tick();
  EXPECT_EQ(all<CordonIdle>(given_up).size(), 1U);
  EXPECT_TRUE(all<InsertLaunch>(given_up).empty()) << "until it has ended it is a machine of the pool";
  fleet.seen.workers[0].state = WorkerState::terminating;
  fleet.seen.outcomes.terminate_sent[fleet.seen.workers[0].instance_id] = fleet.seen.steady;
  EXPECT_TRUE(fleet.tick().actions.empty());
  fleet.seen.listing->front().state = InstanceState::shutting_down;
  const Plan replaced = fleet.tick();
  EXPECT_EQ(all<MarkGone>(replaced).size(), 1U);
  EXPECT_EQ(all<InsertLaunch>(replaced).size(), 1U);
}

TEST(Silent, WhoIsNotHeardInANewTermHasAFullTerm) {
  Fleet fleet = with_silent(2, kTerm);
  fleet.seen.workers[0].silent_for.reset();
  EXPECT_TRUE(fleet.tick().actions.empty());
  fleet.pass(kTerm - Seconds{1});
  EXPECT_TRUE(fleet.tick().actions.empty());
  fleet.pass(Seconds{1});
  EXPECT_EQ(fleet.tick().actions.size(), 2U);
}

TEST(Silent, WhileItHoldsALeaseTheLeaseDecides) {
  Fleet fleet;
  fleet.pool("p", 9);
  fleet.busy(1, "p").silent_for = Seconds{4000};
  fleet.list(1);
  EXPECT_TRUE(fleet.tick().actions.empty());
}

TEST(Silent, ATermIsNeverShorterThanThreeHeartbeats) {
  Fleet fleet = with_silent(2, Seconds{29});
  fleet.seen.tunables.lease_s = 5;
  fleet.seen.tunables.heartbeat_interval_s = 10;
  EXPECT_TRUE(fleet.tick().actions.empty());
  fleet.seen.workers[0].silent_for = Seconds{30};
  EXPECT_FALSE(fleet.tick().actions.empty());
}

TEST(Silent, ManyAtOnceAreBorneLonger) {
  Fleet fleet;
  fleet.pool("p", 12);
  for (int id = 1; id <= 10; ++id) {
    fleet.worker(id, "p").silent_for = id <= 4 ? kTerm : Seconds{1};
    fleet.list(id);
  }
  EXPECT_TRUE(fleet.tick().actions.empty()) << "four of ten: as likely it is we who do not hear";
  fleet.seen.ready["p"] = 7;
  const Plan plan = fleet.tick();
  EXPECT_TRUE(all<CordonIdle>(plan).empty());
  ASSERT_EQ(all<InsertLaunch>(plan).size(), 1U) << "but they are no capacity";
  EXPECT_EQ(all<InsertLaunch>(plan)[0].count, 1);
  fleet.seen.workers[0].silent_for = Seconds{1};
  EXPECT_EQ(all<CordonIdle>(core::plan(fleet.seen)).size(), 3U) << "three of ten may well be";
  for (int i = 0; i < 4; ++i) fleet.seen.workers[static_cast<std::size_t>(i)].silent_for = kSilentMin;
  EXPECT_EQ(all<CordonIdle>(core::plan(fleet.seen)).size(), 4U);
}

TEST(Silent, TheyKeepNoPlaceOfThoseThatLive) {
  Fleet fleet;
  fleet.pool("p", 12, 2).idle_timeout = Seconds{100};
  for (int id = 1; id <= 6; ++id) {
    auto& worker = fleet.worker(id, "p");
    worker.idle_for = Seconds{200};
    if (id <= 4) worker.silent_for = kTerm;
    fleet.list(id);
  }
  EXPECT_TRUE(fleet.tick().actions.empty()) << "min is 2, and two are left to be heard";
}

TEST(Silent, ForeignWorkersAreNoCapacityEither) {
  Fleet fleet;
  fleet.pool("a", 5).queues = {"q"};
  fleet.pool("n", 5).provider = Provider::none;
  fleet.seen.pools.back().spec.queues = {"q"};
  fleet.worker(1, "n").silent_for = kTerm;
  fleet.seen.ready["q"] = 1;
  const Plan plan = fleet.tick();
  ASSERT_EQ(plan.actions.size(), 1U);
  EXPECT_EQ(all<InsertLaunch>(plan).at(0).pool, "a");
}

}  // namespace
}  // namespace drover::core
