// What the engine answers comes later and from another thread, and by then the caller may have gone.
#include <fstream>

#include "api/routes.hpp"
#include "fixture.hpp"

namespace drover::api {
namespace {

class Late : public ApiTest {
 protected:
  Late() {
    add_job(17);
    store.engine.claim->jobs.emplace_back();
    store.engine.claim->jobs.front().attempt.job = JobNumber{17};
    store.engine.claim->jobs.front().attempt.task = R"({"command":"true"})";
    ports::PoolRow& pool = store.pool_rows.emplace_back();
    pool.spec.name = "p";
    pool.spec.provider = core::Provider::none;
    ports::WorkerRow& worker = store.worker_rows.emplace_back();
    worker.id = WorkerId{7};
    worker.instance_id = "i-7";
  }
  static std::string path_of(const Route& route) {
    std::string path;
    for (const std::string_view segment : split(route.pattern.substr(1), '/')) {
      path += '/';
      if (segment == "{job}") path += "17";
      if (segment == "{worker}") path += "7";
      if (segment == "{attempt}") path += "1";
      if (segment == "{stream}") path += "stdout";
      if (segment == "{pool}") path += "p";
      if (segment == "{name}") path += "result.txt";
      if (!segment.starts_with('{')) path += segment;
    }
    return route.id == "appendLog" ? path + "?offset=0" : path;
  }
  static std::string body_of(const Route& route) {
    if (route.id == "submitJobs") return R"([{"task":{"command":"true"}},{"task":{"args":["x"]}}])";
    if (route.id == "registerWorker") return R"({"instance_id":"i-1","nonce":"n"})";
    if (route.id == "claim") return R"({"nonce":"n"})";
    if (route.id == "heartbeat") return R"({"attempts":[{"job":17,"attempt":1,"token":"t"}]})";
    if (route.id == "finishAttempt") return R"({"outcome":"succeeded"})";
    if (route.id == "createPool") return R"({"name":"p","provider":"none"})";
    if (route.id == "putPool") return R"({"provider":"none"})";
    if (route.id == "patchScheduler") return R"({"is_paused":true})";
    if (route.id == "putConfig") return R"({"lease_s":90})";
    return route.body.kind == Body::Kind::none ? "" : "{}";
  }
  Answer ask(const Route& route) {
    // A name of its own: the last one's file may be removed after its answer.
    const std::string file = artifacts.spool_directory() + "/late-" + std::to_string(++files_);
    std::ofstream(file) << "body";
    return send(std::string(route.method), path_of(route), body_of(route),
                {{"authorization", "Bearer 7.secret"}, {"x-drover-attempt-token", "token"}},
                std::make_shared<http::SpooledFile>(file, 4));
  }

  int files_ = 0;
};

TEST_F(Late, AnswersAreTheSameWhicheverThreadTheyComeFrom) {
  for (const Route& route : routes()) {
    if (route.id == "appendLog") continue;  // the same chunk does not fit a second time
    store.engine.late = false;
    const Answer at_once = ask(route);
    store.engine.late = true;
    const Answer later = ask(route);
    EXPECT_EQ(later.status, at_once.status) << route.id;
    EXPECT_NE(later.status, 500) << route.id << later.body;
    // Numbers, times and counters differ; all else is the same.
    if (later.header("content-type").ends_with("json") && route.id != "submitJobs") {
      EXPECT_EQ(later.body, at_once.body) << route.id;
    }
  }
}

TEST_F(Late, ErrorsArePassedOnTheSameWay) {
  store.engine.late = true;
  store.engine.error = Error{Errc::unavailable, "the store is away", {}, {}, 3};
  int refused = 0;
  for (const Route& route : routes()) {
    if (route.reach != Reach::commit || route.body.kind == Body::Kind::bytes) continue;
    const Answer answer = ask(route);
    EXPECT_EQ(answer.status, 503) << route.id << ": " << answer.body;
    EXPECT_EQ(answer.header("retry-after"), "3") << route.id;
    ++refused;
  }
  EXPECT_GT(refused, 15);
}

TEST_F(Late, WhoHasGoneIsAnsweredForNothingAndHisJobsGoBack) {
  delivers = false;
  for (const bool late : {false, true}) {
    store.engine.late = late;
    for (const Route& route : routes()) {
      // Reads that waited for a thread are not begun for one who has gone, so nobody may answer these.
      if (route.method == "GET") continue;
      EXPECT_NE(ask(route).status, 500) << route.id;
    }
    ASSERT_EQ(store.engine.unclaimed.size(), 1U);
    EXPECT_EQ(store.engine.unclaimed.front().job, JobNumber{17});
    store.engine.unclaimed.clear();
  }
}

}  // namespace
}  // namespace drover::api
