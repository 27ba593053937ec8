#include "drover/base/limits.hpp"

#include "fixture.hpp"

namespace drover::api {
namespace {

constexpr const char* kJob = R"({"task":{"command":"true"}})";

using Jobs = ApiTest;

TEST_F(Jobs, PostOneAnswersTheJobAndWhereItIs) {
  const Answer answer = send("POST", "/jobs", R"({"task":{"command":"echo hi"},"queue":"q","priority":3})");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.at("number"), "1");
  EXPECT_EQ(answer.at("state"), "\"queued\"");
  EXPECT_EQ(answer.at("queue"), "\"q\"");
  EXPECT_EQ(answer.at("task"), R"({"command":"echo hi"})");
  EXPECT_EQ(answer.at("created_at"), "\"2030-01-01T00:00:00Z\"");
  EXPECT_EQ("\"" + answer.header("Location") + "\"", "\"/jobs/" + answer.at("id").substr(1));
  ASSERT_EQ(store.engine.submitted.size(), 1U);
  EXPECT_EQ(store.engine.submitted[0].priority, 3);
}

TEST_F(Jobs, PostManyAnswersAnArrayInOrder) {
  const Answer answer =
      send("POST", "/jobs/", R"([{"task":{"command":"a"}},{"task":{"command":"b"},"hold":true}])");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.header("Location"), "");
  const Json body = answer.json();
  ASSERT_EQ(body.if_array()->size(), 2U);
  EXPECT_EQ((*body.if_array())[1].find("task")->dump(), R"({"command":"b"})");
  EXPECT_EQ((*body.if_array())[1].find("state")->dump(), "\"held\"");
}

TEST_F(Jobs, ALargeBodyIsTakenToo) {
  const std::string command(100'000, 'x');
  send("POST", "/jobs", kJob);  // from here on the defaults are known
  const Answer answer = send("POST", "/jobs", R"({"task":{"command":")" + command + "\"}}");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.at("task.command").size(), command.size() + 2);
}

TEST_F(Jobs, PostRefusesWithTheDottedName) {
  const Answer answer =
      send("POST", "/jobs", R"([{"task":{"command":"a"}},{"task":{"command":"a"},"queue":7}])");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.header("Content-Type"), "application/problem+json");
  EXPECT_EQ(answer.at("field"), "\"[1].queue\"");
  EXPECT_TRUE(store.engine.submitted.empty());
  EXPECT_EQ(send("POST", "/jobs", "").status, 400);
  EXPECT_EQ(send("POST", "/jobs", "{").status, 400);
  EXPECT_EQ(send("POST", "/jobs?dry=1", kJob).at("field"), "\"dry\"");
}

TEST_F(Jobs, TooManyAtOnceIs413WithAHint) {
  std::string body = "[" + std::string(kJob);
  for (std::size_t i = 0; i < limits::kJobsPerRequest; ++i) body += "," + std::string(kJob);
  const Answer answer = send("POST", "/jobs", body + "]");
  EXPECT_EQ(answer.status, 413);
  EXPECT_NE(answer.at("detail").find("send at most 1000 at a time"), std::string::npos);
}

TEST_F(Jobs, DefaultAttemptsComeFromTheSettings) {
  store.engine.view.tunables.default_max_attempts = 4;
  send("POST", "/jobs", kJob);
  send("POST", "/jobs", R"({"task":{"command":"true"},"retry":{"max_attempts":2}})");
  ASSERT_EQ(store.engine.submitted.size(), 2U);
  EXPECT_EQ(store.engine.submitted[0].retry.max_attempts, 4);
  EXPECT_EQ(store.engine.submitted[1].retry.max_attempts, 2);
  store.engine.view.tunables.default_max_attempts = 5;
  send("POST", "/jobs", kJob);
  EXPECT_EQ(store.engine.submitted[2].retry.max_attempts, 5);
}

TEST_F(Jobs, AnEditOfTheSettingsCountsAtOnce) {
  send("POST", "/jobs", kJob);
  store.engine.view.tunables.default_max_attempts = 9;
  EXPECT_EQ(send("PATCH", "/config", R"({"default_max_attempts":9})").status, 200);
  send("POST", "/jobs", kJob);
  EXPECT_EQ(store.engine.submitted[1].retry.max_attempts, 9);
}

TEST_F(Jobs, WithoutALeaderPostSaysWhenToTryAgain) {
  store.engine.error = Error{.code = Errc::unavailable, .message = "no leader", .retry_after_s = 3};
  const Answer answer = send("POST", "/jobs", kJob);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "3");
}

TEST_F(Jobs, PagesOfOtherOriginsAreRefused) {
  const http::Headers foreign{{"host", "localhost:8080"}, {"origin", "http://evil.example"}};
  EXPECT_EQ(send("POST", "/jobs", kJob, foreign).status, 403);
  EXPECT_EQ(send("POST", "/jobs", kJob, {{"host", "localhost:8080"}, {"origin", "null"}}).status, 403);
  EXPECT_TRUE(store.engine.submitted.empty());
  EXPECT_EQ(
      send("POST", "/jobs", kJob, {{"host", "localhost:8080"}, {"origin", "http://localhost:8080"}}).status,
      201);
  EXPECT_EQ(get("/jobs", foreign).status, 200);
}

TEST_F(Jobs, GetByNumberAndById) {
  const ports::JobRow& row = add_job(17);
  const Answer by_number = get("/jobs/17");
  EXPECT_EQ(by_number.status, 200);
  EXPECT_EQ(by_number.at("number"), "17");
  EXPECT_EQ(by_number.header("ETag"), "\"1\"");
  EXPECT_EQ(get("/jobs/" + to_string(row.id)).body, by_number.body);
  const Answer head = send("HEAD", "/jobs/17");
  EXPECT_EQ(head.status, 200);
}

TEST_F(Jobs, WhatIsNotThereIs404) {
  add_job(17);
  const Uuid other = make_job_id(JobNumber{17}, clock.now, 8);  // the number of 17, another id
  for (const std::string name :
       {"18", "0", "-1", "017x", "abc", "99999999999999999999", "1e3", "%27%20or%201=1",
        "x%22%7C%7Ctrue%7C%7C%22", "00000000-0000-0000-0000-000000000000"}) {
    EXPECT_EQ(get("/jobs/" + name).status, 404) << name;
    EXPECT_EQ(get("/jobs/" + name + "/attempts").status, 404) << name;
    EXPECT_EQ(get("/jobs/" + name + "/explain").status, 404) << name;
    EXPECT_EQ(get("/jobs/" + name + "/logs/stdout").status, 404) << name;
    EXPECT_EQ(get("/jobs/" + name + "/artifacts").status, 404) << name;
  }
  EXPECT_EQ(get("/jobs/" + to_string(other)).status, 404);
}

TEST_F(Jobs, ListIsPagedByKey) {
  for (int i = 1; i <= 5; ++i) add_job(i);
  store.job_rows[4].spec.queue = "other";
  const Answer first = get("/jobs?queue=default&limit=2&state=queued");
  EXPECT_EQ(first.status, 200);
  const Json body = first.json();
  ASSERT_EQ(body.if_array()->size(), 2U);
  EXPECT_EQ((*body.if_array())[0].find("number")->dump(), "5");
  EXPECT_EQ((*body.if_array())[1].find("number")->dump(), "3");
  EXPECT_EQ(first.header("Link"), "</jobs?queue=default&state=queued&limit=2&before=3>; rel=\"next\"");
  const Answer second = get("/jobs?queue=default&state=queued&limit=2&before=3");
  EXPECT_EQ(second.json().if_array()->size(), 2U);
  const Answer last = get("/jobs?queue=default&state=queued&limit=2&before=1");
  EXPECT_EQ(last.json().dump(), "[]");
  EXPECT_EQ(last.header("Link"), "");
}

TEST_F(Jobs, ListTakesEveryFilter) {
  get("/jobs?state=failed&queue=q&name=a%20b&limit=7&before=9");
  EXPECT_EQ(store.last_filter.state, core::JobState::failed);
  EXPECT_EQ(store.last_filter.queue, "q");
  EXPECT_EQ(store.last_filter.name, "a b");
  EXPECT_EQ(store.last_filter.limit, 7);
  EXPECT_EQ(store.last_filter.before, JobNumber{9});
  get("/jobs");
  EXPECT_EQ(store.last_filter.limit, limits::kPageRowsDefault);
}

TEST_F(Jobs, ListRefusesWhatItDoesNotKnow) {
  const std::pair<const char*, const char*> cases[] = {
      {"/jobs?colour=red", "colour"},    {"/jobs?state=lost", "state"}, {"/jobs?limit=0", "limit"},
      {"/jobs?limit=1001", "limit"},     {"/jobs?limit=ten", "limit"},  {"/jobs?before=0", "before"},
      {"/jobs?limit=1&limit=2", "limit"}};
  for (const auto& [target, field] : cases) {
    const Answer answer = get(target);
    EXPECT_EQ(answer.status, 400) << target;
    EXPECT_EQ(answer.at("field"), "\"" + std::string(field) + "\"") << target;
  }
}

TEST_F(Jobs, APageOfLargeJobsEndsEarlyAndSaysWhereToGoOn) {
  const std::string command(limits::kArgumentBytes, 'x');
  for (int i = 1; i <= 100; ++i) add_job(i).spec.task = R"({"command":")" + command + "\"}";
  std::string target = "/jobs?limit=100";
  std::size_t seen = 0;
  int pages = 0;
  while (!target.empty()) {
    const Answer page = get(target);
    ASSERT_EQ(page.status, 200);
    EXPECT_LT(page.body.size(), limits::kBodyBytes + 2 * limits::kArgumentBytes);
    seen += page.json().if_array()->size();
    ++pages;
    const std::string link = page.header("Link");
    target = link.empty() ? "" : link.substr(1, link.find('>') - 1);
  }
  EXPECT_EQ(seen, 100U);
  EXPECT_EQ(pages, 2);
}

TEST_F(Jobs, TheStoreAwayIs503) {
  store.read_error = Error{.code = Errc::unavailable, .message = "the database is away", .retry_after_s = 1};
  for (const char* target :
       {"/jobs", "/jobs/1", "/jobs/1/attempts", "/jobs/1/logs/stdout", "/pools", "/workers"}) {
    const Answer answer = get(target);
    EXPECT_EQ(answer.status, 503) << target;
    EXPECT_EQ(answer.header("Retry-After"), "1") << target;
  }
}

TEST_F(Jobs, ActionsGoToTheEngine) {
  const ports::JobRow& row = add_job(17);
  store.engine.act = engine::ActAnswer{true, core::JobState::held};
  const Answer answer = send("POST", "/jobs/17/hold");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.json().dump(), R"({"number":17,"state":"held","changed":true})");
  send("PUT", "/jobs/" + to_string(row.id) + "/release");
  send("POST", "/jobs/17/cancel");
  send("PUT", "/jobs/17/requeue");
  ASSERT_EQ(store.engine.acts.size(), 4U);
  EXPECT_EQ(store.engine.acts[0].action, core::JobAction::hold);
  EXPECT_FALSE(store.engine.acts[0].id);
  EXPECT_EQ(store.engine.acts[1].action, core::JobAction::release);
  EXPECT_EQ(store.engine.acts[1].id, row.id);
  EXPECT_EQ(store.engine.acts[1].job, JobNumber{17});
  EXPECT_EQ(store.engine.acts[2].action, core::JobAction::cancel);
  EXPECT_EQ(store.engine.acts[3].action, core::JobAction::requeue);
}

TEST_F(Jobs, GettingAnActionDoesNothing) {
  const Answer answer = get("/jobs/17/cancel");
  EXPECT_EQ(answer.status, 405);
  EXPECT_TRUE(store.engine.acts.empty());
  EXPECT_EQ(send("POST", "/jobs/abc/cancel").status, 404);
}

TEST_F(Jobs, ARefusedActionSaysWhy) {
  store.engine.act = Error{Errc::conflict, "the job has succeeded"};
  const Answer answer = send("POST", "/jobs/17/hold");
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.at("detail"), "\"the job has succeeded\"");
}

TEST_F(Jobs, Attempts) {
  add_job(17);
  store.attempt_rows = {
      {JobNumber{17}, 1, WorkerId{3}, "i-1", clock.now, clock.now, core::Outcome::interruption, {}, {}, "x"},
      {JobNumber{17}, 2, WorkerId{4}, "i-2", clock.now, {}, {}, {}, {}, ""}};
  const Json body = get("/jobs/17/attempts").json();
  ASSERT_EQ(body.if_array()->size(), 2U);
  EXPECT_EQ((*body.if_array())[0].find("outcome")->dump(), "\"interruption\"");
  EXPECT_TRUE((*body.if_array())[1].find("ended_at")->is_null());
}

TEST_F(Jobs, ExplainPutsTheSourcesTogether) {
  add_job(17);
  ports::PoolRow pool;
  pool.id = PoolId{4};
  pool.spec.name = "default";
  pool.spec.max = 5;
  store.engine.view.pools = {pool};
  store.engine.place = engine::JobPlace{true, 2, 3};
  notes.pools.push_back({"default", "InsufficientInstanceCapacity", "none left"});
  const Answer answer = get("/jobs/17/explain");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.at("state"), "\"queued\"");
  const Json reasons = *answer.json().find("reasons");
  ASSERT_EQ(reasons.if_array()->size(), 2U);
  EXPECT_EQ((*reasons.if_array())[0].find("cloud_code")->dump(), "\"InsufficientInstanceCapacity\"");
  EXPECT_EQ((*reasons.if_array())[1].find("ahead")->dump(), "2");
}

TEST_F(Jobs, ExplainAnswersWithoutTheEngine) {
  add_job(17);
  store.engine.error = Error{.code = Errc::unavailable, .message = "away"};
  EXPECT_EQ(get("/jobs/17/explain").status, 200);
  add_job(18, core::JobState::running).worker = "i-5";
  EXPECT_NE(get("/jobs/18/explain").at("summary").find("i-5"), std::string::npos);
}

}  // namespace
}  // namespace drover::api
