#include "drover/reconcile/reconciler.hpp"

#include <array>
#include <string>
#include <utility>
#include <vector>

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
using testing::pool_spec;

// Busy workers on machines that run, as many as given: their instances.
std::vector<std::string> settle(Bench& bench, int count = 4) {
  bench.put(pool_spec("p", 10));
  bench.submit("p", count);
  bench.tick();
  bench.boot_all();
  bench.tick();
  std::vector<std::string> out;
  for (const auto& worker : bench.workers()) out.push_back(worker.instance_id);
  EXPECT_EQ(out.size(), static_cast<std::size_t>(count));
  for (const auto& worker : bench.view().workers) EXPECT_EQ(worker.leases, 1);
  return out;
}

using Ends = std::vector<std::pair<std::string, Outcome>>;

TEST(Reconciler, AMachineListedAsTakenLosesItsWorkerAtOnce) {
  Bench bench;
  const auto machines = settle(bench);
  bench.cloud.end(machines[1], "Server.SpotInstanceTermination");
  bench.tick();
  EXPECT_EQ(bench.gone(), std::vector{machines[1]});
  EXPECT_EQ(bench.ends(), (Ends{{machines[1], Outcome::interruption}}));
  EXPECT_EQ(bench.metrics.value("drover_workers_lost_total{outcome=interruption}"), 1);
}

TEST(Reconciler, AShutdownFromInsideIsInfra) {
  Bench bench;
  const auto machines = settle(bench);
  bench.cloud.end(machines[0], "Client.InstanceInitiatedShutdown");
  bench.tick();
  EXPECT_EQ(bench.gone(), std::vector{machines[0]});
  EXPECT_EQ(bench.ends(), (Ends{{machines[0], Outcome::infra}}));
}

// A machine is judged by its absence only while its worker is silent, and longer silent than a lease's term
// it is given up without that.
TEST(Reconciler, AnAbsentMachineIsLookedUpBeforeItIsLost) {
  Bench bench;
  const auto machines = settle(bench);
  bench.cloud.hidden.insert(machines[2]);
  bench.ticks(12, Seconds{10});
  EXPECT_EQ(bench.cloud.look_ups, 0) << "its worker is heard";
  bench.muted.insert(machines[2]);
  bench.ticks(3, Seconds{10});
  EXPECT_GE(bench.cloud.look_ups, 1);
  bench.muted.clear();
  bench.cloud.unknown.insert(machines[2]);
  bench.ticks(12, Seconds{10});
  EXPECT_TRUE(bench.gone().empty()) << "the look found it";
  EXPECT_TRUE(bench.ends().empty());
  bench.muted.insert(machines[2]);
  bench.ticks(3, Seconds{10});
  EXPECT_EQ(bench.gone(), std::vector{machines[2]});
  EXPECT_EQ(bench.ends(), (Ends{{machines[2], Outcome::infra}}));
}

TEST(Reconciler, AnEmptyListingFreezesAndSaysSo) {
  Bench bench;
  for (const auto& machine : settle(bench, 8)) {
    bench.cloud.hidden.insert(machine);
    bench.cloud.unknown.insert(machine);
    bench.muted.insert(machine);
  }
  bench.ticks(10, Seconds{60});
  EXPECT_TRUE(bench.gone().empty());
  EXPECT_EQ(bench.cloud.alive(), 8);
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
  const auto machines = settle(bench, 8);
  ::testing::internal::CaptureStderr();
  for (int time = 0; time < 2; ++time) {
    bench.cloud.hidden.insert(machines.begin(), machines.end());
    bench.pass(core::kConsistencyWindow);
    bench.ticks(5, Seconds{10});
    bench.cloud.refuse_lists = cloud_error(CloudErrorClass::transient, "Unavailable");
    bench.tick();
    bench.cloud.refuse_lists.reset();
    bench.pass(Seconds{60});
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
  for (const auto& machine : settle(bench, 8)) bench.cloud.hidden.insert(machine);
  bench.pass(core::kConsistencyWindow);
  bench.tick();
  EXPECT_NE(bench.reconciler->status().frozen, "");
  bench.another_leads();
  bench.tick();
  EXPECT_EQ(bench.reconciler->status().frozen, "");
}

TEST(Reconciler, AFailedListingMovesNothingAndFeedsTheWatchdog) {
  Bench bench;
  const auto machines = settle(bench);
  bench.cloud.end(machines[0], "Server.SpotInstanceTermination");
  bench.cloud.refuse_lists = cloud_error(CloudErrorClass::throttle, "RequestLimitExceeded");
  bench.submit("p", 5);
  const std::size_t launches = bench.cloud.launches.size();
  for (int i = 0; i < 20; ++i) {
    bench.pass(Seconds{10});
    bench.tick();
    EXPECT_EQ(bench.reconciler->last_progress(), bench.clock.steady());
  }
  EXPECT_TRUE(bench.gone().empty());
  EXPECT_EQ(bench.cloud.launches.size(), launches);
  const FleetStatus status = bench.reconciler->status();
  ASSERT_TRUE(status.trouble.has_value());
  EXPECT_EQ(status.trouble->call, "list");
  EXPECT_EQ(status.trouble->error, cloud_error(CloudErrorClass::throttle, "RequestLimitExceeded"));
  EXPECT_TRUE(status.trouble->next_try.has_value());
  EXPECT_NE(bench.note("", NoteKind::no_cloud), nullptr);
  EXPECT_GE(bench.metrics.value("drover_cloud_calls_total{call=list,outcome=throttle}"), 3);
  bench.cloud.refuse_lists.reset();
  bench.pass(Seconds{60});
  bench.tick();
  EXPECT_EQ(bench.gone(), std::vector{machines[0]});
  EXPECT_FALSE(bench.reconciler->status().trouble.has_value());
}

TEST(Reconciler, AThrottledListingIsAskedMoreAndMoreRarely) {
  Bench bench;
  bench.put(pool_spec("p", 5));
  bench.cloud.refuse_lists = cloud_error(CloudErrorClass::throttle, "RequestLimitExceeded");
  bench.ticks(60, Seconds{1});
  EXPECT_LE(bench.cloud.lists, 7) << "1, 2, 4, 8, 16, 32 s apart";
  EXPECT_GE(bench.cloud.lists, 5);
}

TEST(Reconciler, AStoreThatGoesAwayMovesNothing) {
  for (const int at : {1, 2}) {  // before the listing, and after it
    Bench bench;
    const auto machines = settle(bench);
    bench.cloud.end(machines[0], "Server.SpotInstanceTermination");
    bench.fleet.snapshot_fails_at = bench.fleet.snapshots + at;
    bench.ticks(5, Seconds{60});
    EXPECT_TRUE(bench.gone().empty()) << at;
    bench.fleet.snapshot_fails_at = 0;
    bench.tick();
    EXPECT_EQ(bench.gone(), std::vector{machines[0]}) << at;
  }
}

// Of the leadership, while the daemon is stopped in the middle of carrying out its plan.
enum class Meanwhile { nobody_else_leads, another_leads, another_has_led };
constexpr std::array kMeanwhile{Meanwhile::nobody_else_leads, Meanwhile::another_leads,
                                Meanwhile::another_has_led};

// After the change of this name, for longer than the store waits for it; where another leads, until
// leads_again().
void stop_amid_the_plan(Bench& bench, std::string_view change, Meanwhile meanwhile) {
  bench.fleet.after = {change, [&bench, meanwhile] {
                         bench.clock.pass(Seconds{6});
                         if (meanwhile != Meanwhile::nobody_else_leads) bench.another_takes_the_lead();
                         if (meanwhile == Meanwhile::another_has_led) bench.another_gives_the_lead_up();
                         bench.engine.settle();
                       }};
}

TEST(Reconciler, APlanOfAnotherTermEndsNoMachine) {
  for (const Meanwhile meanwhile : kMeanwhile) {
    Bench bench;
    const auto machines = settle(bench, 2);
    bench.finish(machines[0]);
    bench.pass(Seconds{301});
    stop_amid_the_plan(bench, ports::MoveWorker::kName, meanwhile);
    bench.tick();
    EXPECT_EQ(bench.state_of(machines[0]), WorkerState::terminating);
    EXPECT_EQ(bench.cloud.terminations.size(), meanwhile == Meanwhile::nobody_else_leads ? 1U : 0U);
    bench.leads_again();
    bench.ticks(2, Seconds{1});
    EXPECT_EQ(bench.cloud.terminations.size(), 1U) << "the store knows what is to be ended";
    EXPECT_EQ(bench.cloud.alive(), 1);
  }
}

TEST(Reconciler, APlanOfAnotherTermLaunchesNothing) {
  for (const Meanwhile meanwhile : kMeanwhile) {
    Bench bench;
    bench.put(pool_spec("p", 5));
    bench.submit("p", 2);
    stop_amid_the_plan(bench, ports::InsertLaunch::kName, meanwhile);
    bench.tick();
    EXPECT_EQ(bench.open_launches().size(), 1U);
    EXPECT_EQ(bench.cloud.launches.size(), meanwhile == Meanwhile::nobody_else_leads ? 1U : 0U);
    bench.leads_again();
    bench.ticks(2, Seconds{1});
    EXPECT_EQ(bench.cloud.launches.size(), 1U) << "the intent is taken up";
    EXPECT_EQ(bench.cloud.alive(), 2);
  }
}

TEST(Reconciler, APlanOfAnotherTermStoresNoIntent) {
  Bench bench;
  bench.put(pool_spec("p", 5));
  bench.submit("p", 2);
  bench.fleet.before = {ports::InsertLaunch::kName, [&] {
                          bench.another_leads();
                          bench.leads_again();
                        }};
  bench.tick();
  EXPECT_FALSE(bench.fleet.before) << "it was to be launched";
  EXPECT_TRUE(bench.open_launches().empty()) << "the other daemon may have launched for the same jobs";
  EXPECT_TRUE(bench.cloud.launches.empty());
  bench.tick();
  EXPECT_EQ(bench.cloud.alive(), 2);
}

TEST(Reconciler, WithoutTheLeadItOnlyWatches) {
  Bench bench;
  settle(bench);
  bench.submit("p", 5);
  bench.another_leads();
  const int lists = bench.cloud.lists;
  const std::size_t launches = bench.cloud.launches.size();
  bench.ticks(5, Seconds{10});
  EXPECT_EQ(bench.cloud.lists, lists);
  EXPECT_EQ(bench.cloud.launches.size(), launches);
  EXPECT_FALSE(bench.reconciler->status().leading);
}

TEST(Reconciler, PoolsWithoutACloudNeedNone) {
  Bench bench;
  core::PoolSpec spec = pool_spec("n", 5);
  spec.provider = core::Provider::none;
  bench.put(spec);
  bench.submit("n", 5);
  bench.ticks(3, Seconds{10});
  EXPECT_EQ(bench.cloud.lists, 0);
  EXPECT_TRUE(bench.cloud.launches.empty());
}

TEST(Reconciler, OrphansEndAndStrangersStay) {
  Bench bench;
  bench.put(pool_spec("p", 5));
  bench.cloud.add("i-0000aaaa", InstanceState::running, to_string(bench.view().deployment));
  bench.cloud.add("i-0000bbbb", InstanceState::running, "another");
  bench.ticks(3, Seconds{50});
  EXPECT_EQ(bench.cloud.instances.at("i-0000aaaa").state, InstanceState::running) << "within the grace";
  bench.tick();
  EXPECT_EQ(bench.cloud.instances.at("i-0000aaaa").state, InstanceState::shutting_down);
  EXPECT_EQ(bench.cloud.instances.at("i-0000bbbb").state, InstanceState::running);
}

// Its launch gave less than it asked for, so that the machine would still fit into it.
TEST(Reconciler, AWorkerGivenUpThatComesBackIsReapedNotAdopted) {
  Bench bench;
  core::PoolSpec spec = pool_spec("p", 5);
  spec.min = 3;
  bench.put(spec);
  bench.cloud.gives = 2;
  bench.tick();
  bench.boot_all();
  bench.tick();
  const std::string zombie = bench.workers().at(0).instance_id;
  const std::string healthy = bench.workers().at(1).instance_id;
  bench.cloud.hidden.insert(zombie);
  bench.cloud.unknown.insert(zombie);
  bench.ticks(6, Seconds{10});
  bench.muted.insert(zombie);
  bench.ticks(3, Seconds{10});
  ASSERT_EQ(bench.gone(), std::vector{zombie});
  ASSERT_EQ(bench.cloud.instances.at(zombie).state, InstanceState::running);
  bench.cloud.hidden.clear();
  bench.pass(Seconds{300});
  bench.ticks(4, Seconds{1});
  EXPECT_EQ(bench.cloud.instances.at(zombie).state, InstanceState::shutting_down);
  EXPECT_EQ(bench.cloud.instances.at(healthy).state, InstanceState::running);
  EXPECT_EQ(bench.gone(), std::vector{zombie}) << "no other worker stands for it";
}

TEST(Reconciler, IdleWorkersAreCordonedThenTerminatedThenGone) {
  Bench bench;
  const auto machines = settle(bench, 2);
  bench.finish(machines[0]);
  bench.pass(Seconds{301});
  bench.tick();
  EXPECT_EQ(bench.state_of(machines[0]), WorkerState::terminating);
  ASSERT_EQ(bench.cloud.terminations.size(), 1U);
  EXPECT_EQ(bench.cloud.terminations[0], std::vector{machines[0]});
  bench.tick();
  EXPECT_EQ(bench.state_of(machines[0]), WorkerState::gone);
  EXPECT_EQ(bench.cloud.terminations.size(), 1U);
  EXPECT_EQ(bench.state_of(machines[1]), WorkerState::active);
}

TEST(Reconciler, AClaimThatWinsTheRaceKeepsItsMachine) {
  Bench bench;
  const auto machines = settle(bench, 1);
  bench.finish(machines[0]);
  bench.pass(Seconds{301});
  bench.fleet.before = {ports::MoveWorker::kName, [&] {
                          bench.submit("p", 1);
                          bench.beat();
                        }};
  bench.tick();
  EXPECT_FALSE(bench.fleet.before) << "it was to be cordoned";
  EXPECT_EQ(bench.view().workers.at(0).leases, 1);
  EXPECT_EQ(bench.state_of(machines[0]), WorkerState::active);
  EXPECT_TRUE(bench.cloud.terminations.empty());
  EXPECT_EQ(bench.cloud.alive(), 1);
}

TEST(Reconciler, AProtectedMachineDoesNotSpoilTheOthers) {
  Bench bench;
  const auto machines = settle(bench, 3);
  for (const auto& machine : machines) bench.finish(machine);
  bench.pass(Seconds{400});
  bench.cloud.protect.insert(machines[1]);
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
  EXPECT_EQ(bench.state_of(machines[1]), WorkerState::gone);
}

TEST(Reconciler, MachinesThatNeverRegisterEndTheirPool) {
  Bench bench;
  core::PoolSpec spec = pool_spec("p", 1);
  spec.registration_timeout = Seconds{100};
  bench.put(spec);
  bench.submit("p", 1);
  bench.ticks(100, Seconds{20});
  EXPECT_EQ(bench.workers().size(), 3U) << "three machines, then no more";
  EXPECT_EQ(bench.cloud.alive(), 0);
  EXPECT_NE(bench.pool("p").blocked_reason.find("bad image"), std::string::npos);
  ASSERT_NE(bench.note("p", NoteKind::blocked), nullptr);
  bench.put(spec);
  bench.tick();
  EXPECT_EQ(bench.workers().size(), 4U);
}

TEST(Reconciler, WorkersOfAScalingGroupAreListedById) {
  Bench bench;
  core::PoolSpec spec = pool_spec("g", 5);
  spec.provider = core::Provider::asg;
  bench.put(spec);
  bench.submit("g", 1);
  bench.cloud.add("i-0000cccc", InstanceState::running, "not ours").tags.clear();
  bench.join("i-0000cccc", "g");
  bench.ticks(3, Seconds{60});
  EXPECT_TRUE(bench.gone().empty());
  bench.cloud.end("i-0000cccc", "Server.SpotInstanceTermination");
  bench.tick();
  EXPECT_EQ(bench.gone(), std::vector<std::string>{"i-0000cccc"});
  EXPECT_EQ(bench.ends(), (Ends{{"i-0000cccc", Outcome::interruption}}));
}

TEST(Reconciler, ANewTermForgetsWhatTheLastOneLearnt) {
  Bench bench;
  bench.put(pool_spec("p", 1));
  bench.submit("p", 1);
  bench.cloud.refuse_launches.push_back(cloud_error(CloudErrorClass::permission, "UnauthorizedOperation"));
  bench.tick();
  bench.tick();
  EXPECT_EQ(bench.cloud.launches.size(), 1U);
  bench.another_leads();
  bench.leads_again();
  bench.tick();
  EXPECT_EQ(bench.cloud.launches.size(), 2U);
}

// ---- the thread

TEST(ReconcilerThread, TicksByItselfAndAgainWhenWoken) {
  SystemClock clock;
  testing::CountingMetrics metrics;
  testing::FakeCloud cloud(clock);
  memstore::MemStore store;
  engine::QueueEngine engine(store, clock, metrics, {});
  engine.start();
  EngineFleet fleet(engine, store);
  ASSERT_TRUE(eventually([&] {
    const auto view = fleet.view();
    return view.ok() && view->leading;
  }));
  ASSERT_TRUE(fleet.apply(ports::PutSettings{{{"reconcile_interval_s", "300"}}, clock.wall()}).ok());
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
