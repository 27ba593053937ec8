#include <fstream>

#include "fixture.hpp"

namespace drover::api {
namespace {

const http::Headers kWorker{{"authorization", "Bearer 7.secret"}};
const http::Headers kAttempt{{"authorization", "Bearer 7.secret"}, {"x-drover-attempt-token", "tok"}};

http::Headers as_shell(http::Headers headers) {
  headers.emplace_back("accept", "application/x-sh");
  return headers;
}

class WorkerProtocol : public ApiTest {
 protected:
  engine::ClaimedJob claimed() {
    engine::ClaimedJob job;
    job.attempt.job = JobNumber{17};
    job.attempt.attempt = 1;
    job.attempt.task = R"({"command":"true"})";
    job.token = Secret("tok");
    return job;
  }
};

TEST_F(WorkerProtocol, BootstrapNeedsTheLaunchsToken) {
  store.launches["boot"] = {};
  const Answer answer = get("/worker/bootstrap", {{"authorization", "Bearer boot"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Type"), "text/x-shellscript");
  EXPECT_EQ(answer.body, "#!/bin/bash\n");
  EXPECT_EQ(get("/worker/bootstrap").status, 401);
  EXPECT_EQ(get("/worker/bootstrap", {{"authorization", "Bearer other"}}).status, 401);
  EXPECT_EQ(get("/worker/bootstrap", {{"authorization", "Basic boot"}}).status, 401);
}

TEST_F(WorkerProtocol, Register) {
  store.engine.registered = engine::Registered{WorkerId{7}, Secret("secret"), "p", {"q"}, 2, 5, 3};
  const std::string body =
      R"({"instance_id":"i-1","nonce":"n-1","slots":2,"cpus":4,"mem_mib":1024,"disk_mib":99,
      "hostname":"h","version":"1","later":"unknown members are for newer daemons"})";
  const Answer answer = send("POST", "/workers/register", body, {{"authorization", "Bearer boot"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.json().dump(),
            R"({"worker_id":7,"token":"7.secret","pool":"p","slots":2,"heartbeat_interval_s":5,)"
            R"("notice_poll_s":3})");
  ASSERT_EQ(store.engine.registrations.size(), 1U);
  const engine::Registration& seen = store.engine.registrations[0];
  EXPECT_EQ(seen.instance_id, "i-1");
  EXPECT_EQ(seen.bootstrap.reveal(), "boot");
  EXPECT_EQ(seen.nonce, "n-1");
  EXPECT_EQ(seen.slots, 2);
  EXPECT_EQ(seen.capacity, (core::Resources{4, 1024, 99, 0}));
  const Answer shell = send("POST", "/workers/register", body, as_shell({{"authorization", "Bearer boot"}}));
  EXPECT_EQ(shell.header("Content-Type"), "application/x-sh");
  EXPECT_EQ(shell.body.substr(0, shell.body.find('\n')), "worker_id=7");
}

TEST_F(WorkerProtocol, RegisterRefuses) {
  const http::Headers boot{{"authorization", "Bearer boot"}};
  EXPECT_EQ(send("POST", "/workers/register", R"({"instance_id":"i-1","nonce":"n"})").status, 401);
  EXPECT_EQ(send("POST", "/workers/register", R"({"nonce":"n"})", boot).at("field"), "\"instance_id\"");
  EXPECT_EQ(send("POST", "/workers/register", R"({"instance_id":"i-1"})", boot).at("field"), "\"nonce\"");
  EXPECT_EQ(send("POST", "/workers/register", R"({"instance_id":"i-1","nonce":"a b"})", boot).at("field"),
            "\"nonce\"");
  EXPECT_EQ(
      send("POST", "/workers/register", R"({"instance_id":"i-1","nonce":"n","slots":0})", boot).at("field"),
      "\"slots\"");
  EXPECT_TRUE(store.engine.registrations.empty());
  store.engine.registered =
      Error{.code = Errc::unavailable, .message = "not reported yet", .retry_after_s = 2};
  const Answer later =
      send("POST", "/workers/register", R"({"instance_id":"i-1","nonce":"n"})", as_shell(boot));
  EXPECT_EQ(later.status, 503);
  EXPECT_EQ(later.header("Retry-After"), "2");
  EXPECT_EQ(later.header("Content-Type"), "application/problem+json");
}

TEST_F(WorkerProtocol, TokensNameTheirWorker) {
  const std::string body = R"({"nonce":"n"})";
  EXPECT_EQ(send("POST", "/workers/7/claim", body).status, 401);
  EXPECT_EQ(send("POST", "/workers/8/claim", body, kWorker).status, 401);
  for (const char* token :
       {"Bearer secret", "Bearer .secret", "Bearer x.secret", "Bearer", "7.secret", "Bearer "}) {
    EXPECT_EQ(send("POST", "/workers/7/claim", body, {{"authorization", token}}).status, 401) << token;
  }
  EXPECT_TRUE(store.engine.claims.empty());
  EXPECT_EQ(send("POST", "/workers/7/claim", body, {{"authorization", "bearer 7.secret"}}).status, 200);
  ASSERT_EQ(store.engine.claims.size(), 1U);
  EXPECT_EQ(store.engine.claims[0].auth.worker, WorkerId{7});
  EXPECT_EQ(store.engine.claims[0].auth.token.reveal(), "secret");
}

TEST_F(WorkerProtocol, Claim) {
  store.engine.claim = engine::ClaimAnswer{{claimed()}, false};
  const Answer answer = send("POST", "/workers/7/claim", R"({"nonce":"n-1","slots":3,"wait_s":15})", kWorker);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ((*answer.json().find("jobs")->if_array())[0].find("token")->dump(), "\"tok\"");
  ASSERT_EQ(store.engine.claims.size(), 1U);
  EXPECT_EQ(store.engine.claims[0].nonce, "n-1");
  EXPECT_EQ(store.engine.claims[0].slots, 3);
  EXPECT_EQ(store.engine.claims[0].wait, Seconds{15});
  EXPECT_TRUE(store.engine.unclaimed.empty());
  const Answer shell = send("POST", "/workers/7/claim", R"({"nonce":"n-1"})", as_shell(kWorker));
  EXPECT_EQ(shell.header("Content-Type"), "application/x-sh");
  EXPECT_EQ(shell.body.substr(0, 27), "claim_jobs=1\nclaim_drain=0\n");
}

TEST_F(WorkerProtocol, AClaimWaitsNoLongerThanTheLongestPoll) {
  send("POST", "/workers/7/claim", R"({"nonce":"n","wait_s":300})", kWorker);
  send("POST", "/workers/7/claim", R"({"nonce":"n"})", kWorker);
  send("POST", "/workers/7/claim", R"({"nonce":"n","wait_s":0})", kWorker);
  ASSERT_EQ(store.engine.claims.size(), 3U);
  EXPECT_EQ(store.engine.claims[0].wait, limits::kLongPoll);
  EXPECT_EQ(store.engine.claims[1].wait, limits::kLongPoll);
  EXPECT_EQ(store.engine.claims[2].wait, Seconds{0});
}

TEST_F(WorkerProtocol, AClaimThatReachesNobodyIsGivenBack) {
  store.engine.claim = engine::ClaimAnswer{{claimed()}, false};
  delivers = false;
  send("POST", "/workers/7/claim", R"({"nonce":"n"})", kWorker);
  ASSERT_EQ(store.engine.unclaimed.size(), 1U);
  EXPECT_EQ(store.engine.unclaimed[0].job, JobNumber{17});
}

TEST_F(WorkerProtocol, Heartbeat) {
  store.engine.heartbeat = engine::HeartbeatAnswer{{{JobNumber{18}, 2, {}}}, true, 5};
  const std::string body =
      R"({"attempts":[{"job":17,"attempt":1,"token":"a"},{"job":18,"attempt":2,"token":"b"}],
      "notice":"2030-01-01T00:00:00Z"})";
  const Answer answer = send("POST", "/workers/7/heartbeat", body, kWorker);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.json().dump(), R"({"stop":[{"job":18,"attempt":2}],"drain":true,"interval_s":5})");
  ASSERT_EQ(store.engine.heartbeats.size(), 1U);
  const engine::Heartbeat& beat = store.engine.heartbeats[0];
  ASSERT_EQ(beat.attempts.size(), 2U);
  EXPECT_EQ(beat.attempts[1].job, JobNumber{18});
  EXPECT_EQ(beat.attempts[1].attempt, 2);
  EXPECT_EQ(beat.attempts[1].token.reveal(), "b");
  EXPECT_EQ(beat.notice, "2030-01-01T00:00:00Z");
  EXPECT_EQ(send("POST", "/workers/7/heartbeat", body, as_shell(kWorker)).body,
            "heartbeat_drain=1\nheartbeat_interval_s=5\nheartbeat_stop=('18/2')\n");
}

TEST_F(WorkerProtocol, HeartbeatRefuses) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({})", "attempts"},
      {R"({"attempts":{}})", "attempts"},
      {R"({"attempts":[1]})", "attempts[0]"},
      {R"({"attempts":[{"job":1,"attempt":1}]})", "attempts[0].token"},
      {R"({"attempts":[{"job":"1","attempt":1,"token":"t"}]})", "attempts[0].job"},
      {R"({"attempts":[],"notice":5})", "notice"}};
  for (const auto& [body, field] : cases) {
    EXPECT_EQ(send("POST", "/workers/7/heartbeat", body, kWorker).at("field"),
              "\"" + std::string(field) + "\"")
        << body;
  }
  EXPECT_TRUE(store.engine.heartbeats.empty());
  EXPECT_EQ(send("POST", "/workers/7/heartbeat", R"({"attempts":[]})", kWorker).status, 200);
  EXPECT_FALSE(store.engine.heartbeats[0].notice);
}

TEST_F(WorkerProtocol, Finish) {
  store.engine.report = engine::ReportAnswer{true, core::JobState::failed};
  const Answer answer =
      send("POST", "/jobs/17/attempts/2/finish",
           R"({"outcome":"failure","exit_code":3,"signal":null,"reason":"exit code 3"})", kAttempt);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.json().dump(), R"({"state":"failed","repeated":true})");
  ASSERT_EQ(store.engine.reports.size(), 1U);
  const engine::Report& report = store.engine.reports[0];
  EXPECT_EQ(report.auth.worker, WorkerId{7});
  EXPECT_EQ(report.attempt.job, JobNumber{17});
  EXPECT_EQ(report.attempt.attempt, 2);
  EXPECT_EQ(report.attempt.token.reveal(), "tok");
  EXPECT_EQ(report.outcome, core::Outcome::failure);
  EXPECT_EQ(report.exit_code, 3);
  EXPECT_FALSE(report.signal);
  EXPECT_EQ(report.reason, "exit code 3");
  EXPECT_EQ(send("POST", "/jobs/17/attempts/2/finish", R"({"outcome":"succeeded"})", as_shell(kAttempt)).body,
            "report_state='failed'\n");
}

TEST_F(WorkerProtocol, FinishTakesTheFourOutcomesOnly) {
  for (const char* outcome : {"succeeded", "failure", "stopped", "infra"}) {
    EXPECT_EQ(
        send("POST", "/jobs/17/attempts/2/finish", std::string(R"({"outcome":")") + outcome + "\"}", kAttempt)
            .status,
        200);
  }
  for (const char* body :
       {R"({"outcome":"interruption"})", R"({"outcome":"done"})", R"({})", R"({"outcome":1})",
        R"({"outcome":"failure","exit_code":"1"})", R"({"outcome":"failure","exit_code":-1})",
        R"({"outcome":"failure","exit_code":256})", R"({"outcome":"failure","signal":0})",
        R"({"outcome":"failure","signal":65})"}) {
    EXPECT_EQ(send("POST", "/jobs/17/attempts/2/finish", body, kAttempt).status, 400) << body;
  }
  EXPECT_EQ(store.engine.reports.size(), 4U);
}

TEST_F(WorkerProtocol, AnExitCodeStaysOne) {
  for (const int code : {0, 1, 128, 129, 137, 150, 192, 255}) {
    EXPECT_EQ(send("POST", "/jobs/17/attempts/2/finish",
                   R"({"outcome":"failure","exit_code":)" + std::to_string(code) + "}", kAttempt)
                  .status,
              200);
    EXPECT_EQ(store.engine.reports.back().exit_code, code);
    EXPECT_FALSE(store.engine.reports.back().signal);
  }
}

TEST_F(WorkerProtocol, ALongReasonIsCutAtACharacter) {
  std::string reason = "x";
  for (int i = 0; i < 3000; ++i) reason += "é";
  send("POST", "/jobs/17/attempts/2/finish", R"({"outcome":"failure","reason":")" + reason + "\"}", kAttempt);
  ASSERT_EQ(store.engine.reports.size(), 1U);
  EXPECT_EQ(store.engine.reports[0].reason.size(), 4095U);
  EXPECT_TRUE(storable_text(store.engine.reports[0].reason));
}

TEST_F(WorkerProtocol, ReleaseLeavesTheOutcomeToTheEngineAndTellsOfANotice) {
  store.engine.report = engine::ReportAnswer{false, core::JobState::queued};
  EXPECT_EQ(send("POST", "/jobs/17/attempts/2/release", R"({"reason":"notice"})", kAttempt).at("state"),
            "\"queued\"");
  EXPECT_EQ(send("POST", "/jobs/17/attempts/2/release", "", kAttempt).status, 200);
  EXPECT_EQ(
      send("POST", "/jobs/17/attempts/2/release", R"({"notice":"{\"action\":\"terminate\"}"})", kAttempt)
          .status,
      200);
  ASSERT_EQ(store.engine.reports.size(), 3U);
  EXPECT_EQ(store.engine.reports[0].outcome, std::nullopt);
  EXPECT_EQ(store.engine.reports[0].reason, "notice");
  EXPECT_EQ(store.engine.reports[0].notice, std::nullopt);
  EXPECT_EQ(store.engine.reports[2].notice, R"({"action":"terminate"})");
}

TEST_F(WorkerProtocol, CallsOnAnAttemptNeedBothTokens) {
  for (const char* path : {"/jobs/17/attempts/2/finish", "/jobs/17/attempts/2/release",
                           "/jobs/17/attempts/2/logs/stdout?offset=0"}) {
    EXPECT_EQ(send("POST", path, "{}", kWorker).status, 401) << path;
    EXPECT_EQ(send("POST", path, "{}", {{"x-drover-attempt-token", "tok"}}).status, 401) << path;
  }
  EXPECT_EQ(send("PUT", "/jobs/17/attempts/2/artifacts/a", "", kWorker).status, 401);
  EXPECT_EQ(send("POST", "/jobs/17/attempts/0/release", "", kAttempt).status, 404);
  EXPECT_EQ(send("POST", "/jobs/17/attempts/x/release", "", kAttempt).status, 404);
  EXPECT_EQ(send("POST", "/jobs/x/attempts/1/release", "", kAttempt).status, 404);
  EXPECT_TRUE(store.engine.reports.empty());
}

TEST_F(WorkerProtocol, AStaleReportIs409) {
  store.engine.report = Error{Errc::stale, "another attempt"};
  EXPECT_EQ(send("POST", "/jobs/17/attempts/2/release", "", kAttempt).status, 409);
}

TEST_F(WorkerProtocol, LogChunks) {
  const std::string path = "/jobs/17/attempts/2/logs/stdout?offset=";
  EXPECT_EQ(send("POST", path + "0", std::string("a\0b", 3), kAttempt).at("next_offset"), "3");
  EXPECT_EQ(send("POST", path + "3", "cd", as_shell(kAttempt)).body, "next_offset=5\n");
  const Answer wrong = send("POST", path + "4", "x", as_shell(kAttempt));
  EXPECT_EQ(wrong.status, 409);
  EXPECT_EQ(wrong.header("Content-Type"), "application/problem+json");
  EXPECT_EQ(wrong.at("next_offset"), "5");
  EXPECT_EQ(wrong.header("X-Drover-Next-Offset"), "5");
  EXPECT_EQ(read_whole(artifacts.log(JobNumber{17}, 2, "stdout")->path), std::string("a\0bcd", 5));
}

TEST_F(WorkerProtocol, LogChunksOfAnotherAttemptAreNotWritten) {
  store.engine.checked = Error{Errc::stale, "ended"};
  EXPECT_EQ(send("POST", "/jobs/17/attempts/2/logs/stdout?offset=0", "x", kAttempt).status, 409);
  EXPECT_FALSE(artifacts.log(JobNumber{17}, 2, "stdout").ok());
  EXPECT_EQ(send("POST", "/jobs/17/attempts/2/logs/other?offset=0", "x", kAttempt).status, 404);
  EXPECT_EQ(send("POST", "/jobs/17/attempts/2/logs/stdout", "x", kAttempt).at("field"), "\"offset\"");
  EXPECT_EQ(send("POST", "/jobs/17/attempts/2/logs/stdout?offset=-1", "x", kAttempt).status, 400);
}

class Upload : public WorkerProtocol {
 protected:
  std::shared_ptr<http::SpooledFile> spooled(const std::string& bytes) {
    // A name of its own: the last body's file may be removed after its answer, by the thread that let go of
    // it.
    const std::string path = artifacts.spool_directory() + "/body-" + std::to_string(++bodies_);
    std::ofstream(path, std::ios::binary) << bytes;
    return std::make_shared<http::SpooledFile>(path, static_cast<std::int64_t>(bytes.size()));
  }

 private:
  int bodies_ = 0;
};

TEST_F(Upload, BytesFirstThenTheRow) {
  const Answer answer = send("PUT", "/jobs/17/attempts/2/artifacts/out.txt", "", kAttempt, spooled("hello"));
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(
      answer.json().dump(),
      R"({"name":"out.txt","size":5,"sha256":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"})");
  EXPECT_EQ(store.engine.artifacts, (std::vector<std::pair<std::string, std::string>>{{"out.txt", "tok"}}));
  EXPECT_EQ(read_whole(artifacts.get(JobNumber{17}, 2, "out.txt")->path), "hello");
}

TEST_F(Upload, OfAnotherAttemptIsNotKept) {
  store.engine.checked = Error{Errc::stale, "ended"};
  EXPECT_EQ(send("PUT", "/jobs/17/attempts/2/artifacts/out.txt", "", kAttempt, spooled("hello")).status, 409);
  EXPECT_FALSE(artifacts.get(JobNumber{17}, 2, "out.txt").ok());
  EXPECT_TRUE(store.engine.artifacts.empty());
}

TEST_F(Upload, AnArtifactsNameMayHaveSeveralParts) {
  EXPECT_EQ(send("PUT", "/jobs/17/attempts/2/artifacts/d/b.txt", "", kAttempt, spooled("1")).at("name"),
            "\"d/b.txt\"");
  EXPECT_EQ(send("PUT", "/jobs/17/attempts/2/artifacts/d%2Fb.txt", "", kAttempt, spooled("22")).at("name"),
            "\"d/b.txt\"");
  EXPECT_EQ(read_whole(artifacts.get(JobNumber{17}, 2, "d/b.txt")->path), "22");
}

TEST_F(Upload, NoArtifactCanBeNamedAsTheCheckpoint) {
  const Answer answer = send("PUT", "/jobs/17/attempts/2/checkpoint", "", kAttempt, spooled("saved"));
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.at("size"), "5");
  EXPECT_EQ(answer.at("sha256"), "\"" + to_hex(sha256("saved")) + "\"");
  using Puts = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(store.engine.artifacts, (Puts{{std::string(ports::kCheckpointName), "tok"}}));
  for (const char* name :
       {"/checkpoint", "%2Fcheckpoint", "..%2Fcheckpoint", "../checkpoint", ".", "d/", "d//e"}) {
    EXPECT_EQ(
        send("PUT", std::string("/jobs/17/attempts/2/artifacts/") + name, "", kAttempt, spooled("x")).status,
        400)
        << name;
  }
  EXPECT_EQ(send("PUT", "/jobs/17/attempts/2/checkpoint", "", kWorker, spooled("x")).status, 401);
  EXPECT_EQ(store.engine.artifacts.size(), 1U);
}

TEST_F(Upload, ANameThatCannotBeIsRefusedBeforeItsBody) {
  http::Request head;
  head.method = "PUT";
  head.headers = kWorker;
  const auto refusal = [&](const std::string& target) {
    EXPECT_TRUE(http::parse_target(target, head).ok());
    const auto verdict = router.on_head(head);
    return verdict.index() == 0 ? 0 : std::get<http::Response>(verdict).status;
  };
  EXPECT_EQ(refusal("/jobs/17/attempts/2/artifacts/d/b"), 0);
  EXPECT_EQ(refusal("/jobs/17/attempts/2/checkpoint"), 0);
  EXPECT_EQ(refusal("/jobs/17/attempts/2/artifacts/d//b"), 400);
  EXPECT_EQ(refusal("/jobs/17/attempts/2/artifacts/" + std::string(257, 'n')), 400);
}

TEST_F(Upload, BodiesAreBoundedAndSpooled) {
  http::Request head;
  head.method = "PUT";
  head.headers = kWorker;
  ASSERT_TRUE(http::parse_target("/jobs/17/attempts/2/artifacts/a", head).ok());
  const auto artifact = std::get<http::BodyPolicy>(router.on_head(head));
  EXPECT_TRUE(artifact.spool);
  EXPECT_EQ(artifact.max_bytes, limits::kArtifactBytes);
  head.method = "POST";
  ASSERT_TRUE(http::parse_target("/jobs/17/attempts/2/logs/stdout?offset=0", head).ok());
  const auto chunk = std::get<http::BodyPolicy>(router.on_head(head));
  EXPECT_FALSE(chunk.spool);
  EXPECT_EQ(chunk.max_bytes, static_cast<std::int64_t>(limits::kLogChunkBytes));
}

TEST_F(Upload, OfNoWorkerIsRefusedBeforeItsBody) {
  const auto refusal = [&](const std::string& method, const std::string& target, http::Headers headers) {
    http::Request head;
    head.method = method;
    head.headers = std::move(headers);
    EXPECT_TRUE(http::parse_target(target, head).ok());
    const auto answer = router.on_head(head);
    return answer.index() == 0 ? 0 : std::get<http::Response>(answer).status;
  };
  for (const auto& [method, target] : {std::pair("PUT", "/jobs/17/attempts/2/artifacts/a"),
                                       std::pair("POST", "/jobs/17/attempts/2/logs/stdout?offset=0")}) {
    store.engine.known = Ok{};
    EXPECT_EQ(refusal(method, target, {}), 401);
    EXPECT_EQ(refusal(method, target, {{"authorization", "Bearer secret"}}), 401);
    EXPECT_EQ(refusal(method, target, kAttempt), 0);
    store.engine.known = Error{Errc::unauthenticated, "unknown worker or token"};
    EXPECT_EQ(refusal(method, target, kAttempt), 401);
    store.engine.known = Error{Errc::unavailable, "another daemon leads", {}, {}, 1};
    EXPECT_EQ(refusal(method, target, kAttempt), 503) << "which says nothing against the worker";
  }
}

}  // namespace
}  // namespace drover::api
