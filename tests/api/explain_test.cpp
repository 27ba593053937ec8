#include "drover/services/explain.hpp"

#include <gtest/gtest.h>

#include "drover/core/fleet/plan.hpp"

#include "api/bodies.hpp"

namespace drover::api {
namespace {

const WallTime kNow{std::chrono::sys_days{std::chrono::year{2030} / 1 / 2}};

class Explain : public ::testing::Test {
 protected:
  Explain() {
    input.now = kNow;
    input.job.number = JobNumber{17};
    input.job.spec.queue = "q";
    input.view.emplace();
    input.view->leading = true;
    input.place = engine::JobPlace{true, 3, 9};
  }
  ports::PoolRow& add_pool(std::string name = "p", int max = 2) {
    ports::PoolRow pool;
    pool.id = PoolId{static_cast<std::int64_t>(input.view->pools.size()) + 1};
    pool.spec.name = std::move(name);
    pool.spec.queues = {"q"};
    pool.spec.max = max;
    input.view->pools.push_back(pool);
    return input.view->pools.back();
  }
  void add_worker(core::WorkerState state, int slots = 1, int leases = 0) {
    input.view->workers.push_back(
        {WorkerId{1}, "i-1", "p", state, slots, leases, state != core::WorkerState::starting, {}, {}, {}});
  }
  std::vector<std::string> codes() {
    const Json json = explanation_table().write(services::explain_job(input));
    std::vector<std::string> out;
    for (const Json& reason : *json.find("reasons")->if_array())
      out.push_back(*reason.find("code")->if_string());
    return out;
  }
  std::string summary() {
    return *explanation_table().write(services::explain_job(input)).find("summary")->if_string();
  }
  Json reason(std::size_t index) {
    return (*explanation_table().write(services::explain_job(input)).find("reasons")->if_array())[index];
  }

  services::ExplainInput input;
};

using Codes = std::vector<std::string>;

TEST_F(Explain, NoPoolServesTheQueue) {
  add_pool().spec.queues = {"other"};
  EXPECT_EQ(codes(), (Codes{"no_pool", "position"}));
  EXPECT_EQ(summary(), "No pool serves queue q: create one, or add the queue to a pool");
}

TEST_F(Explain, Paused) {
  add_pool();
  input.view->paused = true;
  EXPECT_EQ(codes().front(), "scheduler_paused");
}

TEST_F(Explain, NotTheLeader) {
  add_pool();
  input.view->leading = false;
  input.view->standby_reason = "another daemon leads";
  EXPECT_EQ(codes(), Codes{"not_leading"});
  EXPECT_EQ(summary(), "This daemon does not schedule: another daemon leads");
}

TEST_F(Explain, TheEngineDidNotAnswer) {
  input.view.reset();
  EXPECT_EQ(codes(), Codes{"unknown"});
}

TEST_F(Explain, PoolBlocked) {
  add_pool().blocked_reason = "its workers never register";
  EXPECT_EQ(codes(), (Codes{"pool_blocked", "position"}));
  EXPECT_EQ(summary(), "Pool p launches nothing: its workers never register");
}

TEST_F(Explain, NoCapacityWithTheCloudsCodeAndTheNextTry) {
  add_pool();
  input.notes.pools.push_back(
      {"p", "InsufficientInstanceCapacity", "There is none.", "c5.large", kNow + Seconds{30}});
  EXPECT_EQ(codes(), (Codes{"no_capacity", "position"}));
  EXPECT_EQ(reason(0).find("cloud_code")->dump(), "\"InsufficientInstanceCapacity\"");
  EXPECT_EQ(reason(0).find("cloud_message")->dump(), "\"There is none.\"");
  EXPECT_EQ(reason(0).find("instance_type")->dump(), "\"c5.large\"");
  EXPECT_EQ(reason(0).find("next_try")->dump(), "\"2030-01-02T00:00:30Z\"");
  EXPECT_EQ(summary(),
            "The cloud refuses machines to pool p: InsufficientInstanceCapacity: There is none.; next try at "
            "2030-01-02T00:00:30Z");
}

TEST_F(Explain, ASuspectWaitsForAWorkerOfItsOwn) {
  add_pool("p", 3);
  input.job.alone = Seconds{90};
  input.job.charges = 1;
  add_worker(core::WorkerState::active, 4, 1);
  EXPECT_EQ(codes(), (Codes{"suspect", "workers_busy", "launch_pending"})) << "its free slots are not for it";
  EXPECT_EQ(reason(0).find("alone_s")->dump(), "90");
  EXPECT_EQ(reason(0).find("charges")->dump(), "1");
  add_worker(core::WorkerState::active, 4, 0);
  EXPECT_EQ(codes(), (Codes{"suspect", "worker_free"}));
}

TEST_F(Explain, AWorkerThatASuspectHasToItselfIsBusy) {
  add_pool();
  add_worker(core::WorkerState::active, 4, 1);
  EXPECT_EQ(codes().front(), "worker_free");
  input.view->workers[0].alone = true;
  EXPECT_EQ(codes().front(), "workers_busy");
}

TEST_F(Explain, TheFleetsLoopWaits) {
  add_pool();
  input.notes.pools.push_back({"p", "", "launches are limited to 60 a minute", "", kNow + Seconds{30}});
  EXPECT_EQ(codes(), (Codes{"launch_waiting", "position"}));
  EXPECT_EQ(summary(), "Pool p: launches are limited to 60 a minute; next try at 2030-01-02T00:00:30Z");
}

TEST_F(Explain, WhatTheLoopRepeatsIsSaidOnce) {
  add_pool("p", 1);
  add_worker(core::WorkerState::active, 1, 1);
  input.notes.pools.push_back({"p", "", "the pool has its max of 1 instances", "", std::nullopt});
  EXPECT_EQ(codes(), (Codes{"workers_busy", "pool_full", "position"}));
  input.view->paused = true;
  input.view->workers.clear();
  input.notes.pools = {{"p", "", "the scheduler is paused", "", std::nullopt}};
  EXPECT_EQ(codes(), (Codes{"scheduler_paused", "position"}));
}

TEST_F(Explain, AMachineIsAboutToBeLaunched) {
  add_pool();
  EXPECT_EQ(codes(), (Codes{"launch_pending", "position"}));
}

TEST_F(Explain, AWorkerStarts) {
  add_pool();
  add_worker(core::WorkerState::starting);
  EXPECT_EQ(codes(), (Codes{"worker_starting", "position"}));
  EXPECT_EQ(summary(), "1 worker of pool p is starting");
}

TEST_F(Explain, AllSlotsAreTakenAndThePoolIsFull) {
  add_pool("p", 1);
  add_worker(core::WorkerState::active, 2, 2);
  EXPECT_EQ(codes(), (Codes{"workers_busy", "pool_full", "position"}));
  EXPECT_EQ(summary(), "All 2 slots of pool p are taken");
}

TEST_F(Explain, AFreeSlotIsOnItsWay) {
  add_pool();
  add_worker(core::WorkerState::active, 2, 1);
  EXPECT_EQ(codes(), (Codes{"worker_free", "position"}));
}

TEST_F(Explain, DrainingWorkersTakeNothing) {
  add_pool("p", 1);
  add_worker(core::WorkerState::draining, 2, 0);
  EXPECT_EQ(codes(), (Codes{"workers_draining", "pool_full", "position"}));
}

TEST_F(Explain, APoolOfForeignWorkers) {
  add_pool().spec.provider = core::Provider::none;
  EXPECT_EQ(codes(), (Codes{"no_worker", "position"}));
}

TEST_F(Explain, TheFleetIsFrozen) {
  add_pool();
  input.notes.frozen = true;
  input.notes.frozen_reason = "5 of 6 instances are absent";
  EXPECT_EQ(codes(), (Codes{"fleet_frozen", "position"}));
}

TEST_F(Explain, NothingIsAboutToBeLaunchedWhileTheCloudIsNotSeen) {
  add_pool();
  input.notes.last_error = "OperationNotPermitted: of a termination";
  EXPECT_EQ(codes(), (Codes{"launch_pending", "position"})) << "that says nothing of launches";
  input.notes.blind = "RequestExpired: Request has expired.";
  EXPECT_EQ(codes(), (Codes{"cloud_error", "position"}));
  EXPECT_EQ(summary(),
            "The cloud cannot be looked at, so nothing is launched or ended: RequestExpired: Request has "
            "expired.");
  add_worker(core::WorkerState::active, 1, 1);
  EXPECT_EQ(codes(), (Codes{"cloud_error", "workers_busy", "position"}));
  input.view->workers[0].leases = 0;
  EXPECT_EQ(codes(), (Codes{"worker_free", "cloud_error", "position"}));
}

TEST_F(Explain, TheFreeSlotOfAWorkerThatSaysOrAsksNothingIsNotPromised) {
  add_pool();
  add_worker(core::WorkerState::active, 2, 0);
  engine::WorkerView& worker = input.view->workers[0];
  worker.silent_for = Seconds{59};
  EXPECT_EQ(codes(), (Codes{"worker_free", "position"}));
  worker.silent_for = Seconds{60};
  EXPECT_EQ(codes(), (Codes{"workers_silent", "launch_pending", "position"}));
  EXPECT_EQ(summary(), "1 worker of pool p takes no work: nothing was heard of it for too long");
  worker.silent_for = Seconds{1};
  worker.idle_for = Seconds{200};
  worker.asked_ago = Seconds{80};
  EXPECT_EQ(codes(), (Codes{"workers_silent", "launch_pending", "position"})) << "it asks no more";
  worker.asked_ago = Seconds{0};
  EXPECT_EQ(codes(), (Codes{"worker_free", "position"}));
}

TEST_F(Explain, AWorkerThatIsToGoIsNotAboutToStart) {
  add_pool("p", 1);
  for (const core::WorkerState state : {core::WorkerState::draining, core::WorkerState::terminating}) {
    input.view->workers.clear();
    add_worker(state);
    input.view->workers[0].registered = false;
    EXPECT_EQ(codes(), (Codes{"workers_draining", "pool_full", "position"})) << to_string(state);
  }
}

TEST_F(Explain, AWorkerNotHeardSinceTheTermBeganIsSilentAfterAWhile) {
  add_pool();
  add_worker(core::WorkerState::active, 2, 0);
  engine::WorkerView& worker = input.view->workers[0];
  worker.idle_for = Seconds{59};
  EXPECT_EQ(codes(), (Codes{"worker_free", "position"}));
  worker.idle_for = Seconds{60};
  EXPECT_EQ(codes(), (Codes{"workers_silent", "launch_pending", "position"}));
}

// Does the fleet's planner count this worker, whose machine runs, as one that takes jobs?
bool planner_counts(const ports::PoolRow& pool, const engine::WorkerView& worker) {
  core::Observation seen;
  seen.now = kNow;
  seen.steady = SteadyTime{Seconds{50'000}};
  seen.leading = true;
  seen.pools.push_back({pool.spec, pool.version, {}});
  core::FleetWorker stored;
  stored.id = worker.id;
  stored.instance_id = worker.instance_id;
  stored.pool = worker.pool;
  stored.state = worker.state;
  stored.registered = worker.registered;
  stored.leases = worker.leases;
  stored.silent_for = worker.silent_for;
  stored.idle_for = worker.idle_for;
  stored.asked_ago = worker.asked_ago;
  seen.workers.push_back(stored);
  core::Instance instance;
  instance.id = worker.instance_id;
  instance.state = core::InstanceState::running;
  seen.listing.emplace().push_back(instance);
  seen.memory.first_seen[worker.id] = seen.steady - Seconds{400};
  return core::plan(seen).pools.at(0).capacity > 0;
}

// Every worker there can be, as far as it matters here.
std::vector<engine::WorkerView> all_workers() {
  std::vector<engine::WorkerView> out;
  for (const core::WorkerState state : {core::WorkerState::starting, core::WorkerState::active,
                                        core::WorkerState::draining, core::WorkerState::terminating}) {
    for (const bool registered : {false, true}) {
      for (const int leases : {0, 1}) {
        if (registered ? state == core::WorkerState::starting
                       : leases > 0 || state == core::WorkerState::active) {
          continue;
        }
        out.push_back({WorkerId{1}, "i-1", "p", state, 2, leases, registered, {}, {}, {}});
        if (registered && leases == 0) out.back().idle_for = Seconds{400};
      }
    }
  }
  return out;
}

TEST_F(Explain, PromisesNoWorkerThatThePlannerDoesNotCount) {
  const ports::PoolRow pool = add_pool();
  for (engine::WorkerView worker : all_workers()) {
    for (const int silent : {-1, 1, 61, 400}) {
      if (silent >= 0) worker.silent_for = worker.asked_ago = Seconds{silent};
      input.view->workers = {worker};
      const std::string first = codes().front();
      const bool promised = first == "worker_free" || first == "worker_starting";
      EXPECT_TRUE(!promised || planner_counts(pool, worker))
          << first << ": " << to_string(worker.state) << ", " << (worker.registered ? "" : "not ")
          << "registered, " << worker.leases << " leases, silent for " << silent << " s";
    }
  }
}

TEST_F(Explain, WaitsForItsTime) {
  add_pool();
  input.job.spec.run_at = kNow + Seconds{60};
  EXPECT_EQ(codes().front(), "waiting_for_time");
  EXPECT_EQ(summary(), "It waits until 2030-01-02T00:01:00Z");
  EXPECT_EQ(codes(), (Codes{"waiting_for_time"}));
}

TEST_F(Explain, WaitsToRetry) {
  add_pool();
  input.job.attempts = 1;
  input.job.reason = "exit code 1";
  input.job.wake_at = kNow + Seconds{60};
  EXPECT_EQ(codes().front(), "waiting_to_retry");
  EXPECT_EQ(summary(), "Its last attempt ended (exit code 1); it waits until 2030-01-02T00:01:00Z");
}

TEST_F(Explain, AnInstantThatHasPassedIsNoReason) {
  add_pool();
  input.job.spec.run_at = kNow - Seconds{1};
  EXPECT_EQ(codes().front(), "launch_pending");
}

TEST_F(Explain, Positions) {
  add_pool();
  EXPECT_EQ(reason(1).find("ahead")->dump(), "3");
  EXPECT_EQ(*reason(1).find("message")->if_string(), "3 jobs of queue q before it");
  input.place = engine::JobPlace{true, 0, 9};
  EXPECT_EQ(*reason(1).find("message")->if_string(), "It is the next job of queue q");
  input.place = engine::JobPlace{false, 0, 9};
  EXPECT_TRUE(reason(1).find("ahead")->is_null());
  EXPECT_EQ(reason(1).find("ahead_at_most")->dump(), "8");
  input.place->ready = 1;  // it alone
  EXPECT_EQ(reason(1).find("ahead")->dump(), "0");
  input.view->counting = true;  // of those in memory it alone
  EXPECT_TRUE(reason(1).find("ahead")->is_null());
  EXPECT_EQ(reason(1).find("ahead_at_most"), nullptr);
  input.place = engine::JobPlace{true, 2, 1};
  EXPECT_EQ(reason(1).find("ahead")->dump(), "2");
  input.place.reset();  // not answered
  EXPECT_EQ(codes(), Codes{"launch_pending"});
}

TEST_F(Explain, Running) {
  input.job.state = core::JobState::running;
  input.job.worker = "i-9";
  input.job.attempts = 2;
  input.job.started = kNow;
  EXPECT_EQ(summary(), "It runs on worker i-9 since 2030-01-02T00:00:00Z, attempt 2");
  input.job.state = core::JobState::stopping;
  EXPECT_EQ(codes(), Codes{"stopping"});
}

TEST_F(Explain, Held) {
  input.job.state = core::JobState::held;
  EXPECT_EQ(summary(), "It is held; POST /jobs/17/release lets it go on");
  input.job.reason = "asked for";
  EXPECT_EQ(summary(), "It is held: asked for; POST /jobs/17/release lets it go on");
}

TEST_F(Explain, HowItFinished) {
  input.job.finished = kNow;
  input.job.attempts = 2;
  input.job.state = core::JobState::succeeded;
  EXPECT_EQ(summary(), "It succeeded at 2030-01-02T00:00:00Z after 2 attempts");
  input.job.state = core::JobState::failed;
  input.job.exit_code = 7;
  input.job.reason = "no attempts left";
  EXPECT_EQ(summary(),
            "It failed at 2030-01-02T00:00:00Z after 2 attempts, last exit code 7: no attempts left");
  EXPECT_EQ(reason(0).find("exit_code")->dump(), "7");
  input.job.state = core::JobState::cancelled;
  EXPECT_EQ(codes(), Codes{"cancelled"});
}

TEST_F(Explain, EveryStateHasAReason) {
  for (const core::JobState state :
       {core::JobState::blocked, core::JobState::queued, core::JobState::running, core::JobState::stopping,
        core::JobState::held, core::JobState::suspended, core::JobState::succeeded, core::JobState::failed,
        core::JobState::cancelled}) {
    input.job.state = state;
    EXPECT_FALSE(codes().empty());
    EXPECT_EQ(explanation_table().write(services::explain_job(input)).find("state")->dump(),
              "\"" + std::string(to_string(state)) + "\"");
  }
}

}  // namespace
}  // namespace drover::api
