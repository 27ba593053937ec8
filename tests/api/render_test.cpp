#include <set>

#include <gtest/gtest.h>

#include "api/bodies.hpp"
#include "api/job_files.hpp"
#include "api/worker_shell.hpp"

namespace drover::api {
namespace {

const WallTime kDay{std::chrono::sys_days{std::chrono::year{2030} / 1 / 2}};

ports::JobRow full_job() {
  ports::JobRow row;
  row.number = JobNumber{17};
  row.id = *parse_uuid("01900000-0000-7000-8000-000000000011");
  row.spec.queue = "q";
  row.spec.name = "n\"";
  row.spec.owner = "me";
  row.spec.priority = 5;
  row.spec.task = R"({"env":{"Z":"1"},"args":["a","b"]})";
  row.spec.resources = {2.5, 1024, 10, 1};
  row.spec.labels = {{"team", "x"}};
  row.spec.retry = {4, 9, Seconds{60}};
  row.spec.timeout = Seconds{30};
  row.spec.run_at = kDay;
  row.state = core::JobState::failed;
  row.revision = 3;
  row.attempts = 2;
  row.counters = {1, 2, 3};
  row.reason = "exit code 7";
  row.created = kDay + Seconds{1};
  row.started = kDay + Seconds{2} + Millis{500};
  row.finished = kDay + Seconds{3};
  row.exit_code = 7;
  row.worker = "i-1";
  return row;
}

TEST(Render, AJobWithEverything) {
  EXPECT_EQ(
      job_table().write(full_job()).dump(),
      R"({"id":"01900000-0000-7000-8000-000000000011","number":17,"state":"failed","queue":"q","name":"n\"",)"
      R"("owner":"me","priority":5,"task":{"env":{"Z":"1"},"args":["a","b"]},)"
      R"("resources":{"cpus":2.5,"mem_mib":1024,"disk_mib":10,"gpus":1},"labels":{"team":"x"},)"
      R"("retry":{"max_attempts":4,"max_interruptions":9,"backoff_s":60},"timeout_s":30,)"
      R"("run_at":"2030-01-02T00:00:00Z","attempts":2,"counters":{"failures":1,"infra":2,"interruptions":3},)"
      R"("reason":"exit code 7","exit_code":7,"signal":null,"worker":"i-1","created_at":"2030-01-02T00:00:01Z",)"
      R"("started_at":"2030-01-02T00:00:02.500000Z","finished_at":"2030-01-02T00:00:03Z","revision":3,"suspect":null})");
}

TEST(Render, AbsentValuesAreNull) {
  ports::JobRow row;
  row.spec.task = R"({"command":"true"})";
  const Json json = job_table().write(row);
  for (const char* key : {"run_at", "reason", "exit_code", "signal", "worker", "started_at", "finished_at"}) {
    ASSERT_NE(json.find(key), nullptr) << key;
    EXPECT_TRUE(json.find(key)->is_null()) << key;
  }
  EXPECT_TRUE(json.find("retry")->find("max_interruptions")->is_null());
  EXPECT_EQ(json.find("resources")->find("cpus")->dump(), "1");
}

TEST(Render, KeepsFractionsOfTheTaskAsWritten) {
  ports::JobRow row;
  row.spec.task = R"({"command":"x","n":1.500})";
  EXPECT_EQ(job_table().write(row).find("task")->dump(), row.spec.task);
}

TEST(Render, AJobUsesNoReservedName) {
  const std::set<std::string> reserved{"spec",    "status",     "job_status",
                                       "job_id",  "uuid",       "cwd",
                                       "user_id", "signed_url", "controller_iterations"};
  const Json json = job_table().write(full_job());
  for (const Json::Member& member : *json.if_object())
    EXPECT_FALSE(reserved.contains(member.key)) << member.key;
}

TEST(Render, Attempts) {
  ports::AttemptRow row{JobNumber{1}, 2, WorkerId{5}, "i-1", kDay, {}, {}, {}, {}, ""};
  EXPECT_EQ(
      attempt_table().write(row).dump(),
      R"({"attempt":2,"worker":"i-1","worker_number":5,"started_at":"2030-01-02T00:00:00Z","ended_at":null,)"
      R"("outcome":null,"exit_code":null,"signal":null,"reason":null})");
  row.ended = kDay + Seconds{9};
  row.outcome = core::Outcome::failure;
  row.exit_code = 1;
  row.signal = 9;
  row.reason = "why";
  EXPECT_EQ(
      attempt_table().write(row).dump(),
      R"({"attempt":2,"worker":"i-1","worker_number":5,"started_at":"2030-01-02T00:00:00Z",)"
      R"("ended_at":"2030-01-02T00:00:09Z","outcome":"failure","exit_code":1,"signal":9,"reason":"why"})");
}

TEST(Render, Workers) {
  ports::WorkerRow row;
  row.id = WorkerId{5};
  row.instance_id = "i-1";
  row.pool_name = "p";
  row.state = core::WorkerState::active;
  row.slots = 4;
  row.capacity = {8, 100, 200, 0};
  row.hostname = "h";
  row.instance_type = "c5.large";
  row.zone = "a";
  row.spot = true;
  row.created = kDay;
  row.registered = kDay + Seconds{5};
  row.queues = {"q"};
  row.token_hash.fill(0xee);
  EXPECT_EQ(
      worker_table().write({row, 3}).dump(),
      R"({"number":5,"instance_id":"i-1","pool":"p","state":"active","slots":4,"running":3,"queues":["q"],)"
      R"("resources":{"cpus":8,"mem_mib":100,"disk_mib":200,"gpus":0},"hostname":"h","instance_type":"c5.large",)"
      R"("zone":"a","market":"spot","reason":null,"created_at":"2030-01-02T00:00:00Z",)"
      R"("registered_at":"2030-01-02T00:00:05Z","last_seen_at":null,"ended_at":null,"notice_until":null})");
  EXPECT_TRUE(worker_table().write({row, {}}).find("running")->is_null());
}

TEST(Render, Pools) {
  ports::PoolRow row;
  row.spec.name = "p";
  row.spec.image = "ami-1";
  row.spec.instance_types = {"c5.large"};
  row.version = 4;
  row.blocked_reason = "bad image";
  row.spec.tags = {{"team", "genomics"}};
  EXPECT_EQ(
      pool_table().write(row).dump(),
      R"({"name":"p","provider":"ec2","queues":[],"min":0,"max":1,"slots":1,"instances_per_job":1,)"
      R"("max_increase":10,"idle_timeout_s":300,"registration_timeout_s":600,"market":"spot","image":"ami-1",)"
      R"("instance_types":["c5.large"],"subnets":[],"security_groups":[],"instance_profile":"","key_name":"",)"
      R"("max_price":"","disk_gib":0,"tags":{"team":"genomics"},"blocked_reason":"bad image","version":4})");
}

TEST(Render, SettingsAreTyped) {
  core::Tunables tunables;
  tunables.lease_s = 90;
  tunables.freeze_share = 0.25;
  const Json json = tunables_table().write(tunables);
  EXPECT_EQ(json.find("lease_s")->dump(), "90");
  EXPECT_EQ(json.find("freeze_share")->dump(), "0.25");
  EXPECT_EQ(json.if_object()->size(), core::tunable_table().size());
}

TEST(Render, AttachmentNamesCannotBreakOut) {
  EXPECT_EQ(attachment("a.tar.gz"), "attachment; filename=\"a.tar.gz\"; filename*=UTF-8''a.tar.gz");
  EXPECT_EQ(attachment("a\"b\\c\r\nX: y%"),
            "attachment; filename=\"a_b_c__X: y_\"; filename*=UTF-8''a%22b%5Cc%0D%0AX%3A%20y%25");
  EXPECT_EQ(attachment("é"), "attachment; filename=\"__\"; filename*=UTF-8''%C3%A9");
}

TEST(Render, WorkerAnswers) {
  engine::Registered registered{WorkerId{7}, Secret("t"), "p", {"q"}, 2, 5, 3};
  EXPECT_EQ(
      registered_table().write({registered, "7.t"}).dump(),
      R"({"worker_id":7,"token":"7.t","pool":"p","slots":2,"heartbeat_interval_s":5,"notice_poll_s":3})");
  EXPECT_EQ(
      registered_sh({registered, "7.t"}),
      "worker_id=7\nworker_token='7.t'\nworker_pool='p'\nworker_slots=2\nworker_heartbeat_interval_s=5\n"
      "worker_notice_poll_s=3\n");
  const engine::HeartbeatAnswer heard{{{JobNumber{17}, 1, {}}, {JobNumber{18}, 2, {}}}, true, 5};
  EXPECT_EQ(heartbeat_answer_table().write(heard).dump(),
            R"({"stop":[{"job":17,"attempt":1},{"job":18,"attempt":2}],"drain":true,"interval_s":5})");
  EXPECT_EQ(heartbeat_sh(heard),
            "heartbeat_drain=1\nheartbeat_interval_s=5\nheartbeat_stop=('17/1' '18/2')\n");
  const engine::ReportAnswer reported{true, core::JobState::succeeded};
  EXPECT_EQ(reported_table().write(reported).dump(), R"({"state":"succeeded","repeated":true})");
  EXPECT_EQ(report_sh(reported), "report_state='succeeded'\n");
}

engine::ClaimedJob claimed(const std::string& task) {
  engine::ClaimedJob job;
  job.attempt.job = JobNumber{17};
  job.attempt.id = *parse_uuid("01900000-0000-7000-8000-000000000011");
  job.attempt.attempt = 2;
  job.attempt.queue = "q";
  job.attempt.name = "n";
  job.attempt.task = task;
  job.attempt.timeout = Seconds{30};
  job.token = Secret("tok");
  job.max_log_bytes = 7;
  return job;
}

TEST(Render, Claims) {
  engine::ClaimAnswer answer{
      {claimed(R"({"args":["a","b"],"env":{"K":"v"}})"), claimed(R"({"command":"true"})")}, true};
  answer.jobs[1].attempt.has_checkpoint = true;
  EXPECT_EQ(
      claim_table().write(answer).dump(),
      R"({"jobs":[{"number":17,"id":"01900000-0000-7000-8000-000000000011","attempt":2,"token":"tok","queue":"q",)"
      R"("name":"n","args":["a","b"],"env":{"K":"v"},"timeout_s":30,"max_log_bytes":7,"resume":false},)"
      R"({"number":17,"id":"01900000-0000-7000-8000-000000000011","attempt":2,"token":"tok","queue":"q",)"
      R"("name":"n","command":"true","env":{},"timeout_s":30,"max_log_bytes":7,"resume":true,"checkpoint":"/jobs/17/checkpoint"}],)"
      R"("drain":true})");
  EXPECT_EQ(claim_table().write({}).dump(), R"({"jobs":[],"drain":false})");
}

TEST(Render, AnUnreadableTaskFailsWhereItsOwnerLooks) {
  for (const char* task : {"not json", "{}", R"({"command":7})"}) {
    const Json json = claim_table().write({{claimed(task)}, false});
    const std::string* command = (*json.find("jobs")->if_array())[0].find("command")->if_string();
    ASSERT_NE(command, nullptr);
    EXPECT_NE(command->find("exit 126"), std::string::npos);
  }
}

}  // namespace
}  // namespace drover::api
