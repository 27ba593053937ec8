#include "drover/reconcile/reconciler.hpp"

#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include "bench.hpp"
#include "patience.hpp"

namespace drover::reconcile {
namespace {

using core::CloudErrorClass;
using core::InstanceState;
using core::NoteKind;
using core::Outcome;
using core::WorkerState;
using testing::Bench;
using testing::cloud_error;

// Four busy workers on machines that run.
void settle(Bench& bench, int count = 4) {
  bench.fleet.pool("p", 10);
  bench.fleet.ready("p", count);
  bench.tick();
  bench.register_all();
  for (const auto& worker : bench.fleet.workers) bench.fleet.leases[worker.id] = 1;
  bench.fleet.ready("p", 0);
  bench.tick();
}

TEST(Reconciler, AMachineListedAsTakenLosesItsWorkerAtOnce) {
  Bench bench;
  settle(bench);
  bench.cloud.end(bench.fleet.workers[1].instance_id, "Server.SpotInstanceTermination");
  bench.tick();
  ASSERT_EQ(bench.fleet.lost.size(), 1U);
  EXPECT_EQ(bench.fleet.lost[0].first, bench.fleet.workers[1].id);
  EXPECT_EQ(bench.fleet.lost[0].second, Outcome::interruption);
  EXPECT_EQ(bench.metrics.value("drover_workers_lost_total{outcome=interruption}"), 1);
}

TEST(Reconciler, AShutdownFromInsideIsInfra) {
  Bench bench;
  settle(bench);
  bench.cloud.end(bench.fleet.workers[0].instance_id, "Client.InstanceInitiatedShutdown");
  bench.tick();
  ASSERT_EQ(bench.fleet.lost.size(), 1U);
  EXPECT_EQ(bench.fleet.lost[0].second, Outcome::infra);
}

TEST(Reconciler, AnAbsentMachineIsLookedUpBeforeItIsLost) {
  Bench bench;
  settle(bench);
  const auto& worker = bench.fleet.workers[2];
  bench.cloud.hidden.insert(worker.instance_id);
  bench.fleet.silent_for[worker.id] = Seconds{300};
  bench.ticks(10, Seconds{30});
  EXPECT_GE(bench.cloud.look_ups, 1);
  EXPECT_TRUE(bench.fleet.lost.empty()) << "the look found it";
  bench.cloud.unknown.insert(worker.instance_id);
  bench.ticks(4, Seconds{30});
  ASSERT_EQ(bench.fleet.lost.size(), 1U);
  EXPECT_EQ(bench.fleet.lost[0].first, worker.id);
  EXPECT_EQ(bench.fleet.lost[0].second, Outcome::infra);
}

TEST(Reconciler, AnEmptyListingFreezesAndSaysSo) {
  Bench bench;
  settle(bench, 8);
  for (const auto& worker : bench.fleet.workers) {
    bench.cloud.hidden.insert(worker.instance_id);
    bench.cloud.unknown.insert(worker.instance_id);
    bench.fleet.silent_for[worker.id] = Seconds{300};
  }
  bench.ticks(10, Seconds{60});
  EXPECT_TRUE(bench.fleet.lost.empty());
  EXPECT_NE(bench.reconciler->status().frozen.find("8 of 8"), std::string::npos);
  bench.cloud.hidden.clear();
  bench.tick();
  EXPECT_EQ(bench.reconciler->status().frozen, "");
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Reconciler, TheLogSaysOnceThatTheFleetIsFrozenAndOnceThatItIsNot) {
  Bench bench;
  settle(bench, 8);
  ::testing::internal::CaptureStderr();
  for (int time = 0; time < 2; ++time) {
    for (const auto& worker : bench.fleet.workers) bench.cloud.hidden.insert(worker.instance_id);
    bench.clock.pass(core::kConsistencyWindow);
    bench.ticks(5, Seconds{10});
    bench.cloud.refuse_lists = cloud_error(CloudErrorClass::transient, "Unavailable");
    bench.tick();
    bench.cloud.refuse_lists.reset();
    bench.clock.pass(Seconds{60});
    bench.ticks(5, Seconds{10});
    EXPECT_NE(bench.reconciler->status().frozen, "");
    bench.cloud.hidden.clear();
    bench.ticks(5, Seconds{10});
  }
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(count_of(log, "fleet frozen: 8 of 8"), 2U) << log;
  EXPECT_EQ(count_of(log, "fleet no longer frozen"), 2U) << log;
}

TEST(Reconciler, AStandbyKnowsOfNoFrozenFleet) {
  Bench bench;
  settle(bench, 8);
  for (const auto& worker : bench.fleet.workers) bench.cloud.hidden.insert(worker.instance_id);
  bench.clock.pass(core::kConsistencyWindow);
  bench.tick();
  EXPECT_NE(bench.reconciler->status().frozen, "");
  bench.fleet.memory.leading = false;
  bench.tick();
  EXPECT_EQ(bench.reconciler->status().frozen, "");
}

TEST(Reconciler, AFailedListingMovesNothingAndFeedsTheWatchdog) {
  Bench bench;
  settle(bench);
  bench.cloud.end(bench.fleet.workers[0].instance_id, "Server.SpotInstanceTermination");
  bench.cloud.refuse_lists = cloud_error(CloudErrorClass::throttle, "RequestLimitExceeded");
  bench.fleet.ready("p", 5);
  const std::size_t launches = bench.cloud.launches.size();
  for (int i = 0; i < 20; ++i) {
    bench.clock.pass(Seconds{10});
    bench.tick();
    EXPECT_EQ(bench.reconciler->last_progress(), bench.clock.steady());
  }
  EXPECT_TRUE(bench.fleet.lost.empty());
  EXPECT_EQ(bench.cloud.launches.size(), launches);
  const FleetStatus status = bench.reconciler->status();
  ASSERT_TRUE(status.trouble.has_value());
  EXPECT_EQ(status.trouble->call, "list");
  EXPECT_EQ(status.trouble->error, cloud_error(CloudErrorClass::throttle, "RequestLimitExceeded"));
  EXPECT_TRUE(status.trouble->next_try.has_value());
  EXPECT_NE(bench.note("", NoteKind::no_cloud), nullptr);
  EXPECT_GE(bench.metrics.value("drover_cloud_calls_total{call=list,outcome=throttle}"), 3);
  bench.cloud.refuse_lists.reset();
  bench.clock.pass(Seconds{60});
  bench.tick();
  EXPECT_EQ(bench.fleet.lost.size(), 1U);
  EXPECT_FALSE(bench.reconciler->status().trouble.has_value());
}

TEST(Reconciler, AThrottledListingIsAskedMoreAndMoreRarely) {
  Bench bench;
  bench.fleet.pool("p", 5);
  bench.cloud.refuse_lists = cloud_error(CloudErrorClass::throttle, "RequestLimitExceeded");
  bench.ticks(60, Seconds{1});
  EXPECT_LE(bench.cloud.lists, 7) << "1, 2, 4, 8, 16, 32 s apart";
  EXPECT_GE(bench.cloud.lists, 5);
}

TEST(Reconciler, AStoreThatGoesAwayMovesNothing) {
  for (const int at : {1, 2}) {  // before the listing, and after it
    Bench bench;
    settle(bench);
    bench.cloud.end(bench.fleet.workers[0].instance_id, "Server.SpotInstanceTermination");
    bench.fleet.snapshot_fails_at = bench.fleet.snapshots + at;
    bench.ticks(5, Seconds{60});
    EXPECT_TRUE(bench.fleet.lost.empty()) << at;
    bench.fleet.snapshot_fails_at = 0;
    bench.tick();
    EXPECT_EQ(bench.fleet.lost.size(), 1U) << at;
  }
}

// The daemon is stopped in the middle of carrying out its plan, for longer than the store waits for it.
void stop_amid_the_plan(Bench& bench, bool another_leads) {
  bench.fleet.refuse = [&bench, another_leads](const ports::Change&) -> std::optional<Error> {
    bench.clock.pass(Seconds{6});
    if (another_leads) ++bench.fleet.memory.epoch;
    bench.fleet.refuse = nullptr;
    return std::nullopt;
  };
}

TEST(Reconciler, APlanOfAnotherTermEndsNoMachine) {
  for (const bool another_leads : {true, false}) {
    Bench bench;
    settle(bench, 2);
    const auto idle = bench.fleet.workers[0].id;
    bench.fleet.leases[idle] = 0;
    bench.fleet.idle_for[idle] = Seconds{301};
    stop_amid_the_plan(bench, another_leads);
    bench.tick();
    EXPECT_EQ(bench.fleet.workers[0].state, WorkerState::terminating);
    EXPECT_EQ(bench.cloud.terminations.size(), another_leads ? 0U : 1U);
    bench.ticks(2, Seconds{1});
    EXPECT_EQ(bench.cloud.terminations.size(), 1U) << "the store knows what is to be ended";
    EXPECT_EQ(bench.cloud.alive(), 1);
  }
}

TEST(Reconciler, APlanOfAnotherTermLaunchesNothing) {
  for (const bool another_leads : {true, false}) {
    Bench bench;
    bench.fleet.pool("p", 5);
    bench.fleet.ready("p", 2);
    stop_amid_the_plan(bench, another_leads);
    bench.tick();
    EXPECT_EQ(bench.fleet.launches.size(), 1U);
    EXPECT_EQ(bench.cloud.launches.size(), another_leads ? 0U : 1U);
    bench.ticks(2, Seconds{1});
    EXPECT_EQ(bench.cloud.launches.size(), 1U) << "the intent is taken up";
    EXPECT_EQ(bench.cloud.alive(), 2);
  }
}

TEST(Reconciler, WithoutTheLeadItOnlyWatches) {
  Bench bench;
  settle(bench);
  bench.fleet.memory.leading = false;
  bench.fleet.ready("p", 5);
  const int lists = bench.cloud.lists;
  const std::size_t launches = bench.cloud.launches.size();
  bench.ticks(5, Seconds{10});
  EXPECT_EQ(bench.cloud.lists, lists);
  EXPECT_EQ(bench.cloud.launches.size(), launches);
  EXPECT_FALSE(bench.reconciler->status().leading);
}

TEST(Reconciler, PoolsWithoutACloudNeedNone) {
  Bench bench;
  bench.fleet.pool("n", 5).spec.provider = core::Provider::none;
  bench.fleet.ready("n", 5);
  bench.ticks(3, Seconds{10});
  EXPECT_EQ(bench.cloud.lists, 0);
  EXPECT_TRUE(bench.cloud.launches.empty());
}

TEST(Reconciler, OrphansEndAndStrangersStay) {
  Bench bench;
  bench.fleet.pool("p", 5);
  bench.cloud.add("i-0000aaaa", InstanceState::running, to_string(bench.fleet.memory.deployment));
  bench.cloud.add("i-0000bbbb", InstanceState::running, "another");
  bench.ticks(3, Seconds{50});
  EXPECT_EQ(bench.cloud.instances.at("i-0000aaaa").state, InstanceState::running) << "within the grace";
  bench.tick();
  EXPECT_EQ(bench.cloud.instances.at("i-0000aaaa").state, InstanceState::shutting_down);
  EXPECT_EQ(bench.cloud.instances.at("i-0000bbbb").state, InstanceState::running);
}

TEST(Reconciler, AWorkerGivenUpThatComesBackIsReapedNotAdopted) {
  Bench bench;
  bench.fleet.pool("p", 5).spec.min = 2;
  bench.cloud.refuse_launches.clear();
  bench.tick();
  bench.register_all();
  bench.fleet.launches[0].request.count = 3;  // of which two came
  bench.fleet.workers[0].state = WorkerState::gone;
  const std::string zombie = bench.fleet.workers[0].instance_id;
  bench.clock.pass(Seconds{300});
  bench.ticks(4, Seconds{1});
  EXPECT_EQ(bench.cloud.instances.at(zombie).state, InstanceState::shutting_down);
  EXPECT_EQ(bench.cloud.instances.at(bench.fleet.workers[1].instance_id).state, InstanceState::running);
}

TEST(Reconciler, IdleWorkersAreCordonedThenTerminatedThenGone) {
  Bench bench;
  settle(bench, 2);
  const auto idle = bench.fleet.workers[0].id;
  bench.fleet.leases[idle] = 0;
  bench.fleet.idle_for[idle] = Seconds{301};
  bench.tick();
  EXPECT_EQ(bench.fleet.workers[0].state, WorkerState::terminating);
  ASSERT_EQ(bench.cloud.terminations.size(), 1U);
  EXPECT_EQ(bench.cloud.terminations[0], std::vector<std::string>{bench.fleet.workers[0].instance_id});
  bench.tick();
  EXPECT_EQ(bench.fleet.workers[0].state, WorkerState::gone);
  EXPECT_EQ(bench.cloud.terminations.size(), 1U);
  EXPECT_EQ(bench.fleet.workers[1].state, WorkerState::active);
}

TEST(Reconciler, AClaimThatWinsTheRaceKeepsItsMachine) {
  Bench bench;
  settle(bench, 1);
  const auto id = bench.fleet.workers[0].id;
  bench.fleet.leases[id] = 0;
  bench.fleet.idle_for[id] = Seconds{301};
  bench.fleet.refuse = [](const ports::Change&) -> std::optional<Error> {
    return Error{Errc::conflict, "it has a lease by now"};
  };
  bench.tick();
  EXPECT_TRUE(bench.cloud.terminations.empty());
  EXPECT_EQ(bench.cloud.alive(), 1);
}

TEST(Reconciler, AProtectedMachineDoesNotSpoilTheOthers) {
  Bench bench;
  settle(bench, 3);
  for (const auto& worker : bench.fleet.workers) {
    bench.fleet.leases[worker.id] = 0;
    bench.fleet.idle_for[worker.id] = Seconds{400};
  }
  bench.cloud.protect.insert(bench.fleet.workers[1].instance_id);
  bench.tick();
  EXPECT_EQ(bench.cloud.alive(), 1);
  const std::size_t calls = bench.cloud.terminations.size();
  EXPECT_EQ(calls, 1U) << "the cloud has gone past the protected one itself";
  bench.tick();
  EXPECT_EQ(bench.cloud.terminations.size(), calls) << "asked a moment ago";
  bench.ticks(4, core::kTerminateRetry);
  EXPECT_GT(bench.cloud.terminations.size(), calls) << "asked again until seen gone";
  bench.cloud.protect.clear();
  bench.ticks(3, core::kTerminateRetry);
  EXPECT_EQ(bench.fleet.workers[1].state, WorkerState::gone);
}

TEST(Reconciler, MachinesThatNeverRegisterEndTheirPool) {
  Bench bench;
  auto& pool = bench.fleet.pool("p", 1);
  pool.spec.registration_timeout = Seconds{100};
  bench.fleet.ready("p", 1);
  bench.ticks(100, Seconds{20});
  EXPECT_EQ(bench.fleet.workers.size(), 3U) << "three machines, then no more";
  EXPECT_EQ(bench.cloud.alive(), 0);
  EXPECT_NE(bench.fleet.memory.pools[0].blocked_reason.find("bad image"), std::string::npos);
  ASSERT_NE(bench.note("p", NoteKind::blocked), nullptr);
  bench.fleet.memory.pools[0].blocked_reason.clear();
  ++bench.fleet.memory.pools[0].version;
  bench.tick();
  EXPECT_EQ(bench.fleet.workers.size(), 4U);
}

TEST(Reconciler, WorkersOfAScalingGroupAreListedById) {
  Bench bench;
  bench.fleet.pool("g", 5).spec.provider = core::Provider::asg;
  bench.fleet.worker("i-0000cccc", "g", WorkerState::active);
  bench.cloud.add("i-0000cccc", InstanceState::running, "not ours").tags.clear();
  bench.fleet.leases[WorkerId{1}] = 1;
  bench.ticks(3, Seconds{60});
  EXPECT_TRUE(bench.fleet.lost.empty());
  bench.cloud.end("i-0000cccc", "Server.SpotInstanceTermination");
  bench.tick();
  EXPECT_EQ(bench.fleet.lost.size(), 1U);
}

TEST(Reconciler, ANewTermForgetsWhatTheLastOneLearnt) {
  Bench bench;
  bench.fleet.pool("p", 1);
  bench.fleet.ready("p", 1);
  bench.cloud.refuse_launches.push_back(cloud_error(CloudErrorClass::permission, "UnauthorizedOperation"));
  bench.tick();
  bench.tick();
  EXPECT_EQ(bench.cloud.launches.size(), 1U);
  ++bench.fleet.memory.epoch;
  bench.tick();
  EXPECT_EQ(bench.cloud.launches.size(), 2U);
}

// ---- the thread

TEST(ReconcilerThread, TicksByItselfAndAgainWhenWoken) {
  SystemClock clock;
  testing::CountingMetrics metrics;
  testing::FakeCloud cloud(clock);
  testing::FakeFleet fleet(clock);
  fleet.memory.tunables.reconcile_interval_s = 300;
  ReconcileOptions options;
  options.min_gap = Millis{1};
  Reconciler reconciler(fleet, cloud, clock, metrics, options);
  const auto ticks = [&] { return metrics.value("drover_reconcile_ticks_total{outcome=ok}"); };
  reconciler.start();
  ASSERT_TRUE(eventually([&] { return ticks() >= 1; }));
  for (int wish = 2; wish < 5; ++wish) {
    const double before = ticks();
    reconciler.wake();  // the interval is far away: only the wish explains another tick
    ASSERT_TRUE(eventually([&] { return ticks() > before; })) << wish;
  }
  EXPECT_TRUE(reconciler.status().leading);
  EXPECT_TRUE(reconciler.status().last_tick.has_value());
  reconciler.stop();
  const double after = ticks();
  reconciler.wake();
  EXPECT_EQ(ticks(), after);
}

TEST(ReconcilerThread, StopsWithoutHavingBeenStarted) {
  Bench bench;
  bench.reconciler->stop();
  bench.reconciler.reset();
  EXPECT_EQ(bench.cloud.lists, 0);
}

}  // namespace
}  // namespace drover::reconcile
