#include <algorithm>
#include <set>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "drover/memstore/mem_store.hpp"

#include "bench.hpp"
#include "reconcile/executor.hpp"

namespace drover::reconcile {
namespace {

using core::CloudErrorClass;
using core::NoteKind;
using testing::Bench;
using testing::cloud_error;
using testing::pool_spec;

void expect_one_launch_after_a_restart(Bench& bench, const std::string& of) {
  bench.restart();
  bench.ticks(5, Seconds{30});
  EXPECT_EQ(bench.cloud.alive(), 2) << of;
  EXPECT_EQ(bench.workers().size(), 2U) << of;
  std::set<std::string> tokens;
  for (const auto& launch : bench.cloud.launches) tokens.insert(launch.client_token);
  EXPECT_EQ(tokens.size(), 1U) << of;
}

TEST(Launching, OneTickFromDemandToMachines) {
  Bench bench;
  core::PoolSpec spec = pool_spec("p", 5);
  spec.subnets = {"subnet-a"};
  spec.market = core::Market::on_demand;
  spec.disk_gib = 40;
  bench.put(spec);
  bench.submit("p", 3);
  bench.tick();
  ASSERT_EQ(bench.cloud.launches.size(), 1U);
  const core::LaunchRequest& sent = bench.cloud.launches[0];
  EXPECT_EQ(sent.count, 3);
  EXPECT_EQ(sent.image, "ami-1");
  EXPECT_EQ(sent.instance_type, "m5.large");
  EXPECT_EQ(sent.subnet, "subnet-a");
  EXPECT_EQ(sent.market, core::Market::on_demand);
  EXPECT_EQ(sent.disk_gib, 40);
  const std::pair<std::string, std::string> tag{std::string(core::kDeploymentTag),
                                                to_string(bench.view().deployment)};
  EXPECT_EQ(std::count(sent.tags.begin(), sent.tags.end(), tag), 1);
  EXPECT_EQ(sent.tags.back(), (std::pair<std::string, std::string>("Name", "drover-p")));
  EXPECT_EQ(bench.workers().size(), 3U);
  EXPECT_EQ(bench.launch_of(0).state, core::LaunchState::fulfilled);
  EXPECT_EQ(bench.metrics.value("drover_instances_launched_total{pool=p}"), 3);
  bench.tick();
  EXPECT_EQ(bench.cloud.launches.size(), 1U) << "starting machines are capacity";
}

TEST(Launching, APoolsOwnTagsAreAddedToDroversAndMayNameTheMachines) {
  Bench bench;
  core::PoolSpec spec = pool_spec("p", 5);
  spec.tags = {{"Name", "mine"}, {"team", "genomics"}};
  bench.put(spec);
  bench.submit("p", 1);
  bench.tick();
  ASSERT_EQ(bench.cloud.launches.size(), 1U);
  const decltype(core::LaunchRequest::tags) wanted{
      {std::string(core::kDeploymentTag), to_string(bench.view().deployment)},
      {std::string(core::kPoolTag), "p"},
      {"Name", "mine"},
      {"team", "genomics"}};
  EXPECT_EQ(bench.cloud.launches[0].tags, wanted);
}

TEST(Launching, TheTokenIsSentButNeverStored) {
  Bench bench;
  bench.put(pool_spec("p", 1));
  bench.submit("p", 1);
  bench.tick();
  const ports::LaunchRow row = bench.open_launches().at(0);
  const Secret token = ports::bootstrap_token(bench.view().deployment_secret, row.request.client_token);
  EXPECT_EQ(bench.cloud.launches.at(0).user_data, "pool=p token=" + token.reveal());
  EXPECT_EQ(row.request.user_data, "pool=p token=" + std::string(ports::kBootstrapPlaceholder));
  EXPECT_EQ(bench.launch_of(0).id, row.id) << "its hash is";
  bench.boot_all();
  EXPECT_EQ(bench.workers().at(0).state, core::WorkerState::active) << "it lets its machine in";
}

TEST(Launching, ALostReplyIsAdoptedFromTheNextListing) {
  Bench bench;
  bench.put(pool_spec("p", 5));
  bench.submit("p", 2);
  bench.cloud.lose_replies = true;
  bench.tick();
  EXPECT_EQ(bench.launch_of(0).state, core::LaunchState::intended);
  EXPECT_TRUE(bench.workers().empty());
  bench.tick();
  EXPECT_EQ(bench.workers().size(), 2U);
  EXPECT_EQ(bench.cloud.alive(), 2);
  EXPECT_EQ(bench.cloud.launches.size(), 1U);
}

TEST(Launching, ALostReplyIsRepeatedWithTheSameTokenWhileTheListingLags) {
  Bench bench;
  bench.put(pool_spec("p", 5));
  bench.submit("p", 2);
  bench.cloud.lose_replies = true;
  bench.tick();
  for (const auto& [id, instance] : bench.cloud.instances) bench.cloud.hidden.insert(id);
  bench.cloud.lose_replies = false;
  bench.pass(Seconds{60});
  bench.tick();
  ASSERT_EQ(bench.cloud.launches.size(), 2U);
  EXPECT_EQ(bench.cloud.launches[0], bench.cloud.launches[1]);
  EXPECT_EQ(bench.cloud.alive(), 2);
  EXPECT_EQ(bench.workers().size(), 2U);
}

// The daemon dies at each point between the intent and its answer: one launch comes of it in the end.
TEST(Launching, ACrashAnywhereLeadsToOneLaunch) {
  for (int point = 0; point < 3; ++point) {
    Bench bench;
    bench.put(pool_spec("p", 5));
    bench.submit("p", 2);
    if (point == 0) {  // after the intent, before the call
      bench.cloud.refuse_launches.push_back(cloud_error(CloudErrorClass::transient, "NoAnswer"));
    } else if (point == 1) {  // after the call, before the answer
      bench.cloud.lose_replies = true;
    } else {  // after the answer, before it is stored
      bench.fleet.before = {ports::RecordLaunch::kName,
                            [&] { bench.engine.store.plan_faults({memstore::Fault::lost}); }};
    }
    bench.tick();
    EXPECT_TRUE(bench.workers().empty()) << point;
    bench.cloud.lose_replies = false;
    expect_one_launch_after_a_restart(bench, "point " + std::to_string(point));
  }
}

// The session is lost at either commit, and whether it was done is known later or, where this daemon has led
// for long enough to lead again at once, before the rest of the plan.
TEST(Launching, ACommitInDoubtLeadsToOneLaunch) {
  using memstore::Fault;
  for (const std::string_view change : {ports::InsertLaunch::kName, ports::RecordLaunch::kName}) {
    for (const Fault fault : {Fault::lost, Fault::doubt_committed, Fault::doubt_aborted}) {
      for (const Seconds led_for : {Seconds{0}, Seconds{1}}) {
        Bench bench;
        bench.pass(led_for);
        bench.put(pool_spec("p", 5));
        bench.submit("p", 2);
        bench.fleet.before = {change, [&] { bench.engine.store.plan_faults({fault}); }};
        bench.tick();
        EXPECT_FALSE(bench.fleet.before);
        expect_one_launch_after_a_restart(bench, std::string(change) + " " +
                                                     std::to_string(static_cast<int>(fault)) + " " +
                                                     std::to_string(led_for.count()));
      }
    }
  }
}

TEST(Launching, AnIntentThatIsNotStoredIsNotCalled) {
  using memstore::Fault;
  for (const Fault fault : {Fault::storage_full, Fault::lost}) {
    Bench bench;
    bench.put(pool_spec("p", 5));
    bench.submit("p", 2);
    bench.fleet.before = {ports::InsertLaunch::kName, [&] { bench.engine.store.plan_faults({fault}); }};
    bench.tick();
    EXPECT_FALSE(bench.fleet.before) << "it was to be launched";
    EXPECT_TRUE(bench.open_launches().empty());
    EXPECT_TRUE(bench.cloud.launches.empty());
  }
}

TEST(Launching, WithoutCapacityTheNextOfferingIsTriedAtOnce) {
  Bench bench;
  core::PoolSpec spec = pool_spec("p", 5);
  spec.instance_types = {"m5.large", "c5.large"};
  bench.put(spec);
  bench.submit("p", 1);
  bench.cloud.refuse_types.emplace("m5.large",
                                   cloud_error(CloudErrorClass::pool, "InsufficientInstanceCapacity"));
  EXPECT_EQ(bench.tick(), Millis{0}) << "the next tick is wanted at once";
  bench.tick();
  ASSERT_EQ(bench.cloud.launches.size(), 2U);
  EXPECT_EQ(bench.cloud.launches[1].instance_type, "c5.large");
  EXPECT_NE(bench.cloud.launches[0].client_token, bench.cloud.launches[1].client_token);
  EXPECT_EQ(bench.launch_of(0).state, core::LaunchState::failed);
  EXPECT_EQ(bench.launch_of(0).error,
            "pool/InsufficientInstanceCapacity: InsufficientInstanceCapacity for a reason");
  EXPECT_EQ(bench.workers().size(), 1U);
}

TEST(Launching, WithoutAnyCapacityTheCallsAreFewAndTheReasonIsShown) {
  Bench bench;
  core::PoolSpec spec = pool_spec("p", 5);
  spec.instance_types = {"m5.large", "c5.large"};
  bench.put(spec);
  bench.submit("p", 1);
  for (const char* type : {"m5.large", "c5.large"}) {
    bench.cloud.refuse_types.emplace(type,
                                     cloud_error(CloudErrorClass::pool, "InsufficientInstanceCapacity"));
  }
  bench.ticks(300, Seconds{1});
  EXPECT_LE(bench.cloud.launches.size(), 12U) << "15, 30, 60, 120 s apart, for two offerings";
  EXPECT_GE(bench.cloud.launches.size(), 8U);
  const FleetNote* note = bench.note("p", NoteKind::no_capacity);
  ASSERT_NE(note, nullptr);
  ASSERT_TRUE(note->error);
  EXPECT_EQ(note->error->code, "InsufficientInstanceCapacity");
  ASSERT_TRUE(note->next_try.has_value());
  EXPECT_GE(*note->next_try + Seconds{1}, bench.clock.wall());
  bench.cloud.refuse_types.clear();
  bench.ticks(310, Seconds{1});
  EXPECT_EQ(bench.workers().size(), 1U);
}

TEST(Launching, AThrottledLaunchKeepsItsTokenAndHoldsTheOthersBack) {
  Bench bench;
  bench.put(pool_spec("a", 5));
  bench.put(pool_spec("b", 5));
  bench.submit("a", 1);
  bench.submit("b", 1);
  bench.cloud.refuse_launches.push_back(cloud_error(CloudErrorClass::throttle, "RequestLimitExceeded"));
  ::testing::internal::CaptureStderr();
  bench.tick();
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(bench.cloud.launches.size(), 1U) << "no second call into a throttle";
  EXPECT_NE(log.find("launch for pool b dropped"), std::string::npos) << log;
  EXPECT_EQ(bench.metrics.value("drover_reconcile_actions_total{action=insert_launch}"), 1);
  bench.tick();
  EXPECT_NE(bench.note("a", NoteKind::retry), nullptr);
  bench.ticks(3, Seconds{10});
  EXPECT_EQ(bench.workers().size(), 2U);
  std::set<std::string> tokens;
  for (const auto& launch : bench.cloud.launches) tokens.insert(launch.client_token);
  EXPECT_EQ(tokens.size(), 2U);
}

// The pool was edited after the plan was made.
TEST(Launching, AStaleLaunchIsDroppedAndTheLogSaysSo) {
  Bench bench;
  bench.put(pool_spec("p", 5));
  bench.put(pool_spec("p", 5));
  CountedCloud cloud(bench.cloud, bench.clock, bench.metrics, [] {});
  const ReconcileOptions options;
  core::Outcomes outcomes;
  core::CloudHealth health;
  Executor executor(bench.fleet, cloud, bench.clock, bench.metrics, options, outcomes, health,
                    [] { return true; });
  const auto view = bench.fleet.view();
  const std::optional<std::vector<core::Instance>> listing;
  core::InsertLaunch stale{"p", 1, 1, "m5.large", {}, core::Market::spot, "1 jobs want 1 instances"};
  ::testing::internal::CaptureStderr();
  executor.run({stale}, {*view, {}, listing});
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("launch for pool p dropped"), std::string::npos) << log;
  EXPECT_TRUE(bench.open_launches().empty());
  EXPECT_EQ(bench.metrics.value("drover_reconcile_actions_total{action=insert_launch}"), 0);
  stale.pool_version = 2;
  executor.run({stale}, {*view, {}, listing});
  EXPECT_EQ(bench.open_launches().size(), 1U);
  EXPECT_EQ(bench.metrics.value("drover_reconcile_actions_total{action=insert_launch}"), 1);
}

TEST(Launching, APoolEditedAmidTheTickIsLaunchedForAsItIsNow) {
  Bench bench;
  bench.put(pool_spec("p", 5));
  bench.submit("p", 2);
  core::PoolSpec edited = pool_spec("p", 5);
  edited.image = "ami-2";
  bench.fleet.before = {ports::InsertLaunch::kName, [&] { bench.put(edited); }};
  bench.tick();
  EXPECT_FALSE(bench.fleet.before) << "it was to be launched";
  EXPECT_TRUE(bench.open_launches().empty());
  bench.tick();
  ASSERT_EQ(bench.cloud.launches.size(), 1U);
  EXPECT_EQ(bench.cloud.launches[0].image, "ami-2");
}

TEST(Launching, AThrottleStormIsAnsweredWithLongerPauses) {
  Bench bench;
  bench.put(pool_spec("p", 5));
  bench.submit("p", 1);
  for (int i = 0; i < 100; ++i) {
    bench.cloud.refuse_launches.push_back(cloud_error(CloudErrorClass::throttle, "RequestLimitExceeded"));
  }
  bench.ticks(60, Seconds{1});
  EXPECT_LE(bench.cloud.launches.size(), 6U);
  EXPECT_GE(bench.cloud.launches.size(), 3U);
}

TEST(Launching, WhatOnlyAPersonCanLiftIsAskedRarely) {
  for (const auto& [error_class, code] : {std::pair(CloudErrorClass::permission, "UnauthorizedOperation"),
                                          {CloudErrorClass::config, "InvalidAMIID.NotFound"},
                                          {CloudErrorClass::account, "MaxSpotInstanceCountExceeded"}}) {
    Bench bench;
    bench.put(pool_spec("p", 5));
    bench.submit("p", 1);
    for (int i = 0; i < 100; ++i) bench.cloud.refuse_launches.push_back(cloud_error(error_class, code));
    bench.ticks(59, Seconds{1});
    EXPECT_EQ(bench.cloud.launches.size(), 1U) << code;
    const FleetNote* note = bench.note("p", NoteKind::refused);
    ASSERT_NE(note, nullptr) << code;
    ASSERT_TRUE(note->error);
    EXPECT_EQ(note->error->code, code);
    bench.ticks(600, Seconds{1});
    EXPECT_LE(bench.cloud.launches.size(), 6U) << code;
  }
}

// The default of 60 a minute: whatever is refused costs none of it.
TEST(Launching, RefusalsCostNoAllowance) {
  Bench bench;
  core::PoolSpec spec = pool_spec("p", 100);
  spec.instance_types = {"a.1", "a.2", "a.3", "a.4", "a.5", "a.6", "a.7", "m5.large"};
  bench.put(spec);
  for (int i = 1; i <= 7; ++i) {
    bench.cloud.refuse_types.emplace("a." + std::to_string(i),
                                     cloud_error(CloudErrorClass::pool, "InsufficientInstanceCapacity"));
  }
  bench.put(pool_spec("q", 10));
  bench.submit("p", 100);
  bench.ticks(8, Seconds{0});
  EXPECT_EQ(bench.workers().size(), 10U) << "the eighth type gave what was asked for";
  bench.submit("q", 10);
  bench.ticks(4, Seconds{0});
  EXPECT_EQ(std::ranges::count(bench.workers(), "q", [](const auto& worker) { return worker.pool_name; }),
            10);
  EXPECT_EQ(bench.workers().size(), 60U) << "what came counts";
}

TEST(Launching, OfALaunchThatGaveLessOnlyWhatCameIsCharged) {
  Bench bench;
  core::PoolSpec spec = pool_spec("p", 100);
  spec.max_increase = 60;
  bench.put(spec);
  bench.cloud.gives = 1;
  bench.submit("p", 60);
  bench.ticks(30, Seconds{1});
  EXPECT_EQ(bench.workers().size(), 30U) << "one a tick, none held back";
}

TEST(Launching, WhatIsUnansweredIsChargedInFull) {
  Bench bench;
  for (const char* name : {"p", "q"}) {
    core::PoolSpec spec = pool_spec(name, 40);
    spec.max_increase = 40;
    bench.put(spec);
  }
  bench.submit("p", 40);
  bench.cloud.lose_replies = true;
  bench.tick();
  for (const auto& [id, instance] : bench.cloud.instances) bench.cloud.hidden.insert(id);
  bench.submit("q", 40);
  bench.tick();
  EXPECT_EQ(bench.cloud.alive(), 60);
}

// One example a scope: what else may be asked for is asked for at once.
TEST(Launching, ARefusalMutesNoMoreThanItIsAbout) {
  struct Row {
    CloudErrorClass error_class;
    const char* code;
    std::vector<std::string> tried;  // type, subnet; the first is refused
  };
  for (const Row& row :
       {Row{CloudErrorClass::pool, "InsufficientInstanceCapacity", {"g5.large s1", "g5.large s2"}},
        Row{CloudErrorClass::pool, "SpotMaxPriceTooLow", {"g5.large s1", "g5.large s2"}},
        Row{CloudErrorClass::subnet, "InsufficientFreeAddressesInSubnet", {"g5.large s1", "g5.large s2"}},
        Row{CloudErrorClass::account, "VcpuLimitExceeded", {"g5.large s1", "m5.large s1"}},
        Row{CloudErrorClass::config, "InvalidParameterValue", {"g5.large s1", "g5.large s2"}},
        Row{CloudErrorClass::config, "UnsupportedOperation", {"g5.large s1", "g5.large s2"}},
        Row{CloudErrorClass::config, "InvalidSubnetID.NotFound", {"g5.large s1", "g5.large s2"}},
        Row{CloudErrorClass::permission, "UnauthorizedOperation", {"g5.large s1", "g5.large s2"}},
        Row{CloudErrorClass::permission, "Blocked", {"g5.large s1"}},
        Row{CloudErrorClass::credentials, "AuthFailure", {"g5.large s1"}}}) {
    Bench bench;
    core::PoolSpec spec = pool_spec("p", 5);
    spec.instance_types = {"g5.large", "m5.large"};
    spec.subnets = {"s1", "s2"};
    bench.put(spec);
    bench.submit("p", 1);
    bench.cloud.refuse_launches.push_back(cloud_error(row.error_class, row.code));
    EXPECT_EQ(bench.tick(), Millis{0}) << row.code;
    bench.tick();
    std::vector<std::string> tried;
    for (const auto& launch : bench.cloud.launches)
      tried.push_back(launch.instance_type + " " + launch.subnet);
    EXPECT_EQ(tried, row.tried) << row.code;
  }
}

TEST(Launching, WhatIsAboutTheCloudIsNotAskedForByAnotherPool) {
  for (const auto& [error_class, code, calls] :
       {std::tuple(CloudErrorClass::pool, "InsufficientInstanceCapacity", 1U),
        {CloudErrorClass::account, "VcpuLimitExceeded", 1U},
        {CloudErrorClass::config, "InvalidSubnetID.NotFound", 1U},
        {CloudErrorClass::pool, "SpotMaxPriceTooLow", 2U},
        {CloudErrorClass::config, "InvalidParameterValue", 2U}}) {
    Bench bench;
    for (const char* name : {"p", "q"}) {
      core::PoolSpec spec = pool_spec(name, 5);
      spec.subnets = {"s1"};
      bench.put(spec);
    }
    bench.submit("p", 1);
    bench.cloud.refuse_launches.push_back(cloud_error(error_class, code));
    bench.tick();
    bench.submit("q", 1);
    bench.tick();
    EXPECT_EQ(bench.cloud.launches.size(), calls) << code;
  }
}

TEST(Launching, AnEditedPoolIsTriedAtOnce) {
  Bench bench;
  bench.put(pool_spec("p", 5));
  bench.submit("p", 1);
  bench.cloud.refuse_launches.push_back(cloud_error(CloudErrorClass::config, "InvalidAMIID.NotFound"));
  bench.tick();
  bench.tick();
  EXPECT_EQ(bench.cloud.launches.size(), 1U);
  core::PoolSpec edited = pool_spec("p", 5);
  edited.image = "ami-2";
  bench.put(edited);
  bench.tick();
  ASSERT_EQ(bench.cloud.launches.size(), 2U);
  EXPECT_EQ(bench.cloud.launches[1].image, "ami-2");
}

TEST(Launching, AMismatchedTokenLeadsToANewIntent) {
  Bench bench;
  bench.put(pool_spec("p", 5));
  bench.submit("p", 1);
  bench.cloud.refuse_launches.push_back(
      cloud_error(CloudErrorClass::idempotency, "IdempotentParameterMismatch"));
  bench.ticks(2, Seconds{1});
  ASSERT_EQ(bench.cloud.launches.size(), 2U);
  EXPECT_NE(bench.cloud.launches[0].client_token, bench.cloud.launches[1].client_token);
  EXPECT_EQ(bench.cloud.alive(), 1);
}

TEST(Launching, ALaunchGivenUpKeepsTheCloudsLastWord) {
  Bench bench;
  bench.put(pool_spec("p", 5));
  bench.submit("p", 1);
  bench.cloud.refuse_launches.push_back(cloud_error(CloudErrorClass::throttle, "RequestLimitExceeded"));
  bench.tick();
  bench.cancel_all();
  bench.tick();
  EXPECT_EQ(bench.launch_of(0).state, core::LaunchState::closed);
  EXPECT_EQ(bench.launch_of(0).error.find("throttle/RequestLimitExceeded"), 0U);
  EXPECT_EQ(bench.cloud.launches.size(), 1U);
}

TEST(Launching, AnErrorNobodyKnowsIsNotRepeatedForEver) {
  Bench bench;
  bench.put(pool_spec("p", 1));
  bench.submit("p", 1);
  bench.cloud.refuse_types.emplace("m5.large", cloud_error(CloudErrorClass::unknown, "BrandNew"));
  bench.tick();
  while (bench.launch_of(0).state == core::LaunchState::intended) {
    bench.pass(Seconds{60});
    bench.tick();
    ASSERT_LE(bench.cloud.launches.size(), 10U);
  }
  EXPECT_EQ(bench.launch_of(0).state, core::LaunchState::failed);
  EXPECT_EQ(bench.cloud.launches.size(), 10U);
  bench.tick();
  EXPECT_EQ(bench.cloud.launches.size(), 10U) << "that offering is left alone for now";
  const FleetNote* note = bench.note("p", NoteKind::refused);
  ASSERT_NE(note, nullptr);
  EXPECT_EQ(note->error, cloud_error(CloudErrorClass::unknown, "BrandNew"));
  EXPECT_EQ(note->instance_type, "m5.large");
}

}  // namespace
}  // namespace drover::reconcile
