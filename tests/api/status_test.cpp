#include <algorithm>
#include <future>
#include <latch>
#include <thread>

#include <fmt/format.h>

#include "fixture.hpp"

namespace drover::api {
namespace {

class StatusPage : public ApiTest {
 protected:
  StatusPage() {
    engine::EngineView& view = store.engine.view;
    view.queues = {{"a", {10, 2}}, {"b", {5, 1}}};
    ports::PoolRow pool;
    pool.spec.name = "p";
    pool.spec.queues = {"a"};
    pool.spec.max = 9;
    view.pools = {pool};
    view.workers = {{WorkerId{2}, "i-2", "p", core::WorkerState::active, 4, 3, true, {}, {}, {}},
                    {WorkerId{1}, "i-1", "p", core::WorkerState::starting, 0, 0, false, {}, {}, {}}};
    ports::WorkerRow row;
    row.id = WorkerId{2};
    row.capacity = {16, 64'000, 1000, 0};
    row.registered = clock.now;
    store.worker_rows = {row};
  }
};

TEST_F(StatusPage, HasScalesFormAndMore) {
  for (const char* path : {"/status", "/status/"}) {
    const Answer answer = get(path);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.at("master"), R"({"is_online":true,"hostname":"head","port":8080})");
    EXPECT_EQ(answer.at("scheduler"), R"({"is_online":true,"is_paused":false,"hostname":"head"})");
    EXPECT_EQ(answer.at("queue_depth"), "15");
    EXPECT_EQ(answer.at("resources.total"), R"({"cpus":16.0,"mem":64000.0,"disk":1000.0})");
    EXPECT_EQ(answer.at("resources.scheduled"), R"({"cpus":12.0,"mem":48000.0,"disk":750.0})");
    EXPECT_EQ(answer.at("resources.used"), R"({"cpus":0.0,"mem":0.0,"disk":0.0})");
    EXPECT_EQ(answer.at("queues.a"), R"({"ready":10,"running":2})");
    EXPECT_EQ(answer.at("workers"), R"({"starting":1,"active":1,"draining":0,"terminating":0})");
    EXPECT_EQ(answer.at("pools.p"), R"({"workers":2,"max":9,"blocked_reason":null,"note":null})");
    EXPECT_EQ(answer.at("version"), "\"1.2.3\"");
  }
}

TEST_F(StatusPage, AStandbyIsNotOnline) {
  store.engine.view.leading = false;
  store.engine.view.standby_reason = "another daemon leads";
  const Answer answer = get("/status");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.at("master.is_online"), "false");
  EXPECT_EQ(answer.at("scheduler.is_online"), "false");
  EXPECT_EQ(answer.at("queue_depth"), "null");
  EXPECT_EQ(answer.at("standby_reason"), "\"another daemon leads\"");
  EXPECT_EQ(answer.at("resources"), "");
}

TEST_F(StatusPage, AnswersWhenNothingElseDoes) {
  store.engine.view = {};
  store.read_error = Error{Errc::unavailable, "away"};
  const Answer answer = get("/status");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.at("master.is_online"), "false");
}

TEST_F(StatusPage, ResourcesAreLeftOutWhenTheStoreIsAway) {
  store.read_error = Error{Errc::unavailable, "away"};
  EXPECT_EQ(get("/status").at("resources"), "");
  EXPECT_EQ(get("/status").at("master.is_online"), "true");
}

TEST_F(StatusPage, PausedIsSaid) {
  store.engine.view.paused = true;
  EXPECT_EQ(get("/status").at("scheduler.is_paused"), "true");
}

TEST_F(StatusPage, Metrics) {
  const Answer answer = get("/metrics");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.header("Content-Type").starts_with("text/plain; version=0.0.4"));
  for (const char* line :
       {"drover_leading 1", "drover_queue_ready_jobs,queue=a 10", "drover_queue_ready_jobs,queue=(other) 5",
        "drover_queue_running_jobs,queue=a 2", "drover_workers,pool=p,state=active 1",
        "drover_workers,pool=p,state=draining 0", "drover_pool_slots,pool=p 4",
        "drover_pool_slots_taken,pool=p 3", "drover_pool_max_workers,pool=p 9"}) {
    EXPECT_NE(answer.body.find(std::string(line) + "\n"), std::string::npos) << line << " in\n"
                                                                             << answer.body;
  }
  EXPECT_EQ(answer.body.find("queue=b"), std::string::npos);  // a name that only clients gave
}

TEST_F(StatusPage, WhileTheJobsAreCountedNobodySaysHowManyAreReady) {
  store.engine.view.counting = true;
  const Answer status = get("/status");
  EXPECT_EQ(status.at("queue_depth"), "null");
  EXPECT_EQ(status.at("queues.a"), R"({"ready":null,"running":2,"counting":true})");
  EXPECT_EQ(status.at("other_queues"), R"({"ready":null,"running":0,"counting":true,"count":0})");
  EXPECT_EQ(get("/queues?limit=1").body,
            "[{\"name\":\"a\",\"ready\":null,\"running\":2,\"counting\":true}]\n");
  const std::string page = get("/metrics").body;
  EXPECT_EQ(page.find("drover_queue_ready_jobs,"), std::string::npos) << page;
  EXPECT_NE(page.find("drover_queue_running_jobs,queue=a 2\n"), std::string::npos) << page;
}

TEST_F(StatusPage, MetricsOfAQueueThatIsServedNoMoreAreGone) {
  get("/metrics");
  store.engine.view.pools[0].spec.queues = {"c"};
  const std::string body = get("/metrics").body;
  EXPECT_EQ(body.find("queue=a"), std::string::npos) << body;
  EXPECT_NE(body.find("drover_queue_ready_jobs,queue=(other) 15\n"), std::string::npos) << body;
}

TEST_F(StatusPage, AFormerLeaderShowsNothingOfTheFleet) {
  const std::string leading = get("/metrics").body;
  EXPECT_NE(leading.find("drover_workers"), std::string::npos);
  store.engine.view.leading = false;
  const std::string standby = get("/metrics").body;
  EXPECT_NE(standby.find("drover_leading 0\n"), std::string::npos) << standby;
  for (const char* gauge :
       {"drover_queue", "drover_workers", "drover_pool", "drover_fleet", "drover_scheduler"}) {
    EXPECT_EQ(standby.find(gauge), std::string::npos) << standby;
  }
}

TEST_F(StatusPage, NamesTheLongestQueuesAndCountsTheOthers) {
  store.engine.view.other_queues = {50, 1225, 60};
  const Answer answer = get("/status");
  EXPECT_EQ(answer.at("queues.b"), R"({"ready":5,"running":1})");
  EXPECT_EQ(answer.at("other_queues"), R"({"ready":1225,"running":60,"count":50})");
  EXPECT_EQ(answer.at("queue_depth"), "1240");
  const std::string page = get("/metrics").body;
  EXPECT_NE(page.find("drover_queue_ready_jobs,queue=(other) 1230\n"), std::string::npos) << page;
  EXPECT_NE(page.find("drover_queue_running_jobs,queue=(other) 61\n"), std::string::npos) << page;
}

TEST_F(StatusPage, QueuesArePagedByName) {
  engine::EngineView& view = store.engine.view;
  view.queues = {{"a b", {1, 0}}, {"c", {2, 3}}, {"d", {0, 1}}};
  const Answer first = get("/queues?limit=1");
  EXPECT_EQ(first.body, "[{\"name\":\"a b\",\"ready\":1,\"running\":0}]\n");
  EXPECT_EQ(first.header("Link"), "</queues?limit=1&after=a%20b>; rel=\"next\"");
  const Answer rest = get("/queues?limit=2&after=a%20b");
  EXPECT_EQ(rest.json().if_array()->size(), 2U);
  EXPECT_EQ(rest.header("Link"), "");
  EXPECT_EQ(get("/queues?after=z").body, "[]\n");
  EXPECT_EQ(get("/queues?before=1").status, 400);
  view.leading = false;
  EXPECT_EQ(get("/queues").status, 503);
}

TEST_F(StatusPage, HealthAndReadiness) {
  EXPECT_EQ(get("/healthz").status, 200);
  EXPECT_EQ(get("/readyz").status, 200);
  store.engine.view.store_reachable = false;
  EXPECT_NE(get("/readyz").at("detail").find("the database is out of reach"), std::string::npos);
  store.engine.view.leading = false;
  store.engine.view.standby_reason = "another daemon leads";
  const Answer standby = get("/readyz");
  EXPECT_EQ(standby.status, 503);
  EXPECT_NE(standby.at("detail").find("another daemon leads"), std::string::npos);
  EXPECT_EQ(get("/healthz").status, 200);
}

TEST_F(StatusPage, TheRootNamesTheRoutes) {
  const Answer answer = get("/");
  EXPECT_EQ(answer.at("version"), "\"1.2.3\"");
  const Json routes = *answer.json().find("routes");
  EXPECT_EQ(routes.if_array()->size(), router.routes().size());
  EXPECT_NE(std::find(routes.if_array()->begin(), routes.if_array()->end(), Json("POST /jobs")),
            routes.if_array()->end());
}

TEST_F(StatusPage, CommandsAndMetricsDoNotStandBehindReads) {
  std::latch reading(2);  // as many as there are threads for reads
  std::promise<void> hold;
  store.before_jobs = [&reading, held = hold.get_future().share()] {
    reading.count_down();
    held.wait();
  };
  auto first = std::async(std::launch::async, [&] { return get("/jobs"); });
  auto second = std::async(std::launch::async, [&] { return get("/jobs"); });
  reading.wait();
  EXPECT_EQ(get("/metrics").status, 200);
  EXPECT_EQ(send("POST", "/workers/99/drain").status, 404);
  EXPECT_EQ(send("PATCH", "/pools/none", "{}").status, 404);
  EXPECT_EQ(send("PUT", "/pools/none", R"({"provider":"none"})", {{"if-match", "\"1\""}}).status, 412);
  hold.set_value();
  EXPECT_EQ(first.get().status, 200);
  EXPECT_EQ(second.get().status, 200);
}

// Its client may have closed the sending half alone.
TEST_F(StatusPage, AReadWhoseClientHasClosedIsAnsweredIfItNeedNotWait) {
  delivers = false;
  for (const char* path : {"/status", "/jobs", "/workers", "/pools", "/queues"}) {
    // Where the machine is busy it may have to wait for its thread after all.
    EXPECT_TRUE(eventually([&] { return get(path).status == 200; })) << path;
  }
}

TEST_F(StatusPage, AReadThatWaitedUntilItsClientHadGoneIsNotBegun) {
  std::promise<void> hold;
  std::latch reading(2);  // both threads for reads
  std::atomic<int> begun = 0;
  store.before_jobs = [&, held = hold.get_future().share()] {
    if (++begun > 2) return;
    reading.count_down();
    held.wait();
  };
  auto first = std::async(std::launch::async, [&] { return get("/jobs"); });
  auto second = std::async(std::launch::async, [&] { return get("/jobs"); });
  reading.wait();
  delivers = false;
  auto third = begin("GET", "/jobs?limit=7");
  std::this_thread::sleep_for(2 * limits::kClosedReadWait);  // the wait itself is what is tested
  hold.set_value();
  first.get();
  second.get();
  third.get();
  EXPECT_EQ(begun, 2) << "nobody reads for a client that has gone";
}

TEST_F(StatusPage, AStoppedApiSaysSo) {
  api.stop();
  const Answer answer = get("/jobs");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "5");
  EXPECT_EQ(get("/healthz").status, 200);
}

}  // namespace
}  // namespace drover::api
