#include <filesystem>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drover/base/text.hpp"

#include "cloud_fixture.hpp"
#include "localcloud/imds.hpp"

namespace drover::localcloud {
namespace {

class InstanceTest : public CloudTest {
 protected:
  void SetUp() override {
    CloudTest::SetUp();
    start();
  }
  // The pid that the instance's script wrote into `name`.
  int pid_in(const std::string& id, const std::string& name) {
    int pid = 0;
    EXPECT_TRUE(eventually([&] {
      const auto text = file(id, name);
      if (!text.ends_with("\n")) return false;
      pid = static_cast<int>(parse_int(trim(text)).value_or(0));
      return true;
    })) << name;
    return pid;
  }
  bool dies(int pid) {
    return pid > 1 && eventually([pid] { return !process_exists(pid); });
  }
};

TEST_F(InstanceTest, RunsItsUserDataInItsOwnPlace) {
  const auto id = run_one(
      "#!/bin/bash\n"
      "{ pwd; echo \"$HOME\"; echo \"$TMPDIR\"; mktemp; echo \"${DROVER_TEST_CANARY-unset}\"; } > seen.new\n"
      "token=$(curl -sS -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "
      "$AWS_EC2_METADATA_SERVICE_ENDPOINT/latest/api/token)\n"
      "curl -sS -H \"X-aws-ec2-metadata-token: $token\" "
      "$AWS_EC2_METADATA_SERVICE_ENDPOINT/latest/meta-data/instance-id >> seen.new\n"
      "echo said; mv seen.new seen; exec sleep 1000\n");
  ASSERT_TRUE(eventually([&] { return !file(id, "seen").empty(); }));
  const auto seen = file(id, "seen");
  const auto lines = split(seen, '\n');
  ASSERT_EQ(lines.size(), 6U);
  const auto root = text(id, "directory") + "/root";
  EXPECT_EQ(lines[0], root);
  EXPECT_EQ(lines[1], root);
  EXPECT_EQ(lines[2], root + "/tmp");
  EXPECT_TRUE(lines[3].starts_with(root + "/tmp/"));
  EXPECT_EQ(lines[4], "unset");
  EXPECT_EQ(lines[5], id);
  const auto console = value_of(ok("GetConsoleOutput", {{"InstanceId", id}}), "output");
  EXPECT_EQ(base64_decode(console), "said\n");
}

TEST_F(InstanceTest, DoesNotInheritTheEnvironmentButGetsWhatIsConfigured) {
  stop();
  setenv("DROVER_TEST_CANARY", "leaked", 1);
  auto configured = options();
  configured.instance_env = {{"EXTRA", "given"}};
  start(configured);
  const auto id =
      run_one("#!/bin/sh\necho \"${DROVER_TEST_CANARY-unset} $EXTRA\" > new; mv new env; exec sleep 1000\n");
  ASSERT_TRUE(eventually([&] { return !file(id, "env").empty(); }));
  unsetenv("DROVER_TEST_CANARY");
  EXPECT_EQ(file(id, "env"), "unset given\n");
}

TEST_F(InstanceTest, TerminationReachesEveryDescendant) {
  // A child in a session of its own whose parent is gone, and one that does not listen to SIGTERM.
  const auto id = run_one(
      "#!/bin/bash\n"
      "setsid bash -c 'setsid sh -c \"echo \\$\\$ > new1; mv new1 orphan; exec sleep 1000\" & exit' &\n"
      "bash -c 'trap \"\" TERM; echo $$ > new2; mv new2 deaf; while :; do sleep 1000; done' &\n"
      "echo $$ > new3; mv new3 main; wait; sleep 1000\n");
  const int orphan = pid_in(id, "orphan");
  const int deaf = pid_in(id, "deaf");
  const int main = pid_in(id, "main");
  ASSERT_TRUE(process_exists(orphan) && process_exists(deaf) && process_exists(main));
  ASSERT_TRUE(reaches(id, "running"));
  ok("TerminateInstances", {{"InstanceId.1", id}});
  ASSERT_TRUE(reaches(id, "terminated"));
  // By then nothing is left, and the volume is gone.
  EXPECT_FALSE(process_exists(orphan));
  EXPECT_FALSE(process_exists(deaf));
  EXPECT_FALSE(process_exists(main));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/cloud/instances/" + id + "/root"));
}

TEST_F(InstanceTest, TerminationLetsProcessesCleanUp) {
  stop();
  auto patient = options();
  patient.shutdown_grace = Seconds(20);
  start(patient);
  const auto out = directory_ + "/cleaned";
  const auto id = run_one("#!/bin/bash\ntrap 'echo bye > " + out +
                          "; exit' TERM\nsleep 1000 &\necho $$ > new; mv new main\nwait\n");
  pid_in(id, "main");
  ok("TerminateInstances", {{"InstanceId.1", id}});
  ASSERT_TRUE(reaches(id, "terminated"));
  EXPECT_EQ(read_text(out), "bye\n");
}

TEST_F(InstanceTest, TheEndOfTheScriptIsTheEndOfTheMachine) {
  const auto id = run_one("#!/bin/bash\nsetsid sleep 1000 & echo $! > " + directory_ + "/child\n");
  ASSERT_TRUE(reaches(id, "terminated"));
  EXPECT_EQ(text(id, "state_reason"), "Client.InstanceInitiatedShutdown");
  const auto child = parse_int(trim(read_text(directory_ + "/child")));
  ASSERT_TRUE(child);
  EXPECT_FALSE(process_exists(static_cast<int>(*child)));
}

TEST_F(InstanceTest, OtherUserDataLeavesAnIdleMachine) {
  const auto id = run_one("#cloud-config\n");
  ASSERT_TRUE(reaches(id, "running"));
  EXPECT_EQ(imds(id, "/latest/user-data").body, "#cloud-config\n");
  ok("TerminateInstances", {{"InstanceId.1", id}});
  ASSERT_TRUE(reaches(id, "terminated"));
}

TEST_F(InstanceTest, AScriptThatCannotRunEndsTheMachine) {
  const auto id = run_one("#!/no/such/interpreter\n");
  ASSERT_TRUE(reaches(id, "terminated"));
  EXPECT_EQ(text(id, "state_reason"), "Client.InstanceInitiatedShutdown");
}

TEST_F(InstanceTest, MetadataNeedsAToken) {
  const auto id = run_one(kIdle, {{"InstanceType", "m5.large"},
                                  {"Placement.AvailabilityZone", "us-east-1b"},
                                  {"MetadataOptions.InstanceMetadataTags", "enabled"},
                                  {"TagSpecification.1.ResourceType", "instance"},
                                  {"TagSpecification.1.Tag.1.Key", "Name"},
                                  {"TagSpecification.1.Tag.1.Value", "w 1"}});
  ASSERT_TRUE(reaches(id, "running"));
  const auto base = text(id, "imds");
  const auto raw = [&](const std::string& method, const std::string& path,
                       const std::vector<std::pair<std::string, std::string>>& headers) {
    ports::HttpRequest request;
    request.method = method;
    request.url = base + path;
    request.headers = headers;
    const auto reply = http_.send(request);
    return reply.ok() ? reply->status : 0;
  };
  EXPECT_EQ(raw("GET", "/latest/meta-data/instance-id", {}), 401);
  EXPECT_EQ(raw("GET", "/latest/meta-data/instance-id", {{"X-aws-ec2-metadata-token", "99999999999-00"}}),
            401);
  EXPECT_EQ(raw("PUT", "/latest/api/token", {}), 400);
  EXPECT_EQ(raw("PUT", "/latest/api/token", {{"X-aws-ec2-metadata-token-ttl-seconds", "21601"}}), 400);
  EXPECT_EQ(raw("PUT", "/latest/api/token",
                {{"X-aws-ec2-metadata-token-ttl-seconds", "60"}, {"X-Forwarded-For", "10.0.0.1"}}),
            403);

  EXPECT_EQ(imds(id, "/latest/meta-data/instance-id").body, id);
  EXPECT_EQ(imds(id, "/latest/meta-data/instance-type").body, "m5.large");
  EXPECT_EQ(imds(id, "/latest/meta-data/placement/availability-zone").body, "us-east-1b");
  EXPECT_EQ(imds(id, "/latest/meta-data/local-ipv4").body, text(id, "private_ip"));
  EXPECT_EQ(imds(id, "/latest/meta-data/tags/instance/").body, "Name");
  EXPECT_EQ(imds(id, "/latest/meta-data/tags/instance/Name").body, "w 1");
  EXPECT_EQ(imds(id, "/latest/meta-data/placement/").body, "availability-zone\nregion");
  EXPECT_EQ(imds(id, "/latest/meta-data/spot/instance-action").status, 404);
  EXPECT_EQ(imds(id, "/latest/meta-data/iam/security-credentials/").status, 404);
  EXPECT_EQ(imds(id, "/latest/nothing").status, 404);
  // Tags made later are seen.
  ok("CreateTags", {{"ResourceId.1", id}, {"Tag.1.Key", "late"}, {"Tag.1.Value", "x"}});
  EXPECT_EQ(imds(id, "/latest/meta-data/tags/instance/late").body, "x");
  EXPECT_EQ(error("CreateTags", {{"ResourceId.1", id}, {"Tag.1.Key", "a b"}, {"Tag.1.Value", "x"}}),
            "400 InvalidParameterValue");
  // Only where the launch asks for it.
  const auto silent = run_one(
      kIdle, {{"TagSpecification.1.ResourceType", "instance"}, {"TagSpecification.1.Tag.1.Key", "a b"}});
  ASSERT_TRUE(reaches(silent, "running"));
  EXPECT_EQ(imds(silent, "/latest/meta-data/tags/instance/").status, 404);
}

TEST_F(InstanceTest, InterruptionIsAnnouncedAndThenHappens) {
  const auto id =
      run_one("#!/bin/bash\ntrap '' TERM\nsetsid sleep 1000 & echo $! > new; mv new child; wait\n",
              {{"InstanceMarketOptions.MarketType", "spot"}});
  const int child = pid_in(id, "child");
  ASSERT_TRUE(reaches(id, "running"));
  EXPECT_EQ(control("POST", "/instances/" + id + "/interrupt", R"({"notice_s":600})").status, 200);
  const auto notice = imds(id, "/latest/meta-data/spot/instance-action");
  EXPECT_EQ(notice.status, 200);
  const auto json = parse_json(notice.body);
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(*json->find("action")->if_string(), "terminate");
  const auto when = parse_rfc3339(*json->find("time")->if_string());
  ASSERT_TRUE(when);
  const auto away = *when - std::chrono::system_clock::now();
  EXPECT_GT(away, Seconds(500));
  EXPECT_LE(away, Seconds(600));
  EXPECT_EQ(state(id), "running");
  EXPECT_TRUE(process_exists(child));
  // Brought forward.
  EXPECT_EQ(control("POST", "/instances/" + id + "/interrupt", R"({"notice_s":0})").status, 200);
  ASSERT_TRUE(reaches(id, "terminated"));
  EXPECT_EQ(text(id, "state_reason"), "Server.SpotInstanceTermination");
  EXPECT_FALSE(process_exists(child));
  EXPECT_EQ(value_of(ok("DescribeSpotInstanceRequests"), "code"), "instance-terminated-no-capacity");
  EXPECT_EQ(control("POST", "/instances/" + id + "/interrupt", "{}").status, 409);
}

TEST_F(InstanceTest, SuddenDeathGivesNoTimeToCleanUp) {
  stop();
  auto patient = options();
  patient.shutdown_grace = Seconds(20);
  start(patient);
  const auto out = directory_ + "/cleaned";
  const auto script = "#!/bin/bash\ntrap 'echo bye > " + out +
                      "; exit' TERM\necho $$ > new; mv new main\nwhile :; do sleep 1000 & wait; done\n";
  const auto id = run_one(script);
  const int pid = pid_in(id, "main");
  EXPECT_EQ(control("POST", "/instances/" + id + "/kill").status, 200);
  ASSERT_TRUE(reaches(id, "terminated"));
  EXPECT_EQ(text(id, "state_reason"), "Server.SpotInstanceTermination");
  EXPECT_FALSE(process_exists(pid));
  EXPECT_FALSE(std::filesystem::exists(out));

  const auto other = run_one(kIdle);
  EXPECT_EQ(control("POST", "/instances/" + other + "/kill", R"({"reason":"Server.InternalError"})").status,
            200);
  ASSERT_TRUE(reaches(other, "terminated"));
  EXPECT_EQ(text(other, "state_reason"), "Server.InternalError");
}

TEST_F(InstanceTest, ALostSupervisorTakesItsProcessesAlong) {
  const auto id = run_one("#!/bin/bash\nsetsid sleep 1000 & echo $! > new; mv new child; wait\n");
  const int child = pid_in(id, "child");
  const auto json = instance(id);
  const auto* supervisor = json.find("supervisor_pid")->if_int();
  ASSERT_NE(supervisor, nullptr);
  ASSERT_EQ(kill(static_cast<pid_t>(*supervisor), SIGKILL), 0);
  ASSERT_TRUE(reaches(id, "terminated"));
  EXPECT_EQ(text(id, "state_reason"), "Server.InternalError");
  EXPECT_TRUE(dies(child));
}

TEST_F(InstanceTest, InstancesOutliveTheLocalCloud) {
  const auto id =
      run_one("#!/bin/bash\necho $$ > new; mv new main; exec sleep 1000\n", {{"ClientToken", "kept"}});
  const auto ending =
      run_one("#!/bin/bash\necho $$ > new; mv new main\nuntil [ -e go ]; do sleep 0.01; done\n");
  const auto noticed = run_one(kIdle);
  const int pid = pid_in(id, "main");
  const int ending_pid = pid_in(ending, "main");
  ASSERT_TRUE(reaches(id, "running"));
  ASSERT_TRUE(reaches(ending, "running"));
  ASSERT_TRUE(reaches(noticed, "running"));
  const auto imds_before = text(id, "imds");
  const auto go = text(ending, "directory") + "/root/go";
  EXPECT_EQ(control("POST", "/instances/" + noticed + "/interrupt", R"({"notice_s":1})").status, 200);
  stop();

  EXPECT_TRUE(process_exists(pid));
  std::filesystem::create_directory(go);
  ASSERT_TRUE(dies(ending_pid));
  start();
  EXPECT_EQ(state(id), "running");
  EXPECT_EQ(text(id, "imds"), imds_before);
  EXPECT_EQ(imds(id, "/latest/meta-data/instance-id").body, id);
  ASSERT_TRUE(reaches(ending, "terminated"));
  EXPECT_EQ(text(ending, "state_reason"), "Client.InstanceInitiatedShutdown");
  ASSERT_TRUE(reaches(noticed, "terminated"));
  EXPECT_EQ(text(noticed, "state_reason"), "Server.SpotInstanceTermination");
  // The token still stands for that launch.
  EXPECT_EQ(run_one("#!/bin/bash\necho $$ > new; mv new main; exec sleep 1000\n", {{"ClientToken", "kept"}}),
            id);
  // And an instance that was taken up can be ended.
  ok("TerminateInstances", {{"InstanceId.1", id}});
  ASSERT_TRUE(reaches(id, "terminated"));
  EXPECT_FALSE(process_exists(pid));
}

TEST_F(InstanceTest, AReusedPidIsNotTakenForTheSupervisor) {
  const auto id = run_one(kIdle);
  ASSERT_TRUE(reaches(id, "running"));
  const auto pid = *instance(id).find("supervisor_pid")->if_int();
  stop();
  ASSERT_EQ(kill(static_cast<pid_t>(pid), SIGKILL), 0);
  // The record now names this very process, but with another start.
  const auto path = directory_ + "/cloud/instances/" + id + "/supervisor.json";
  auto mark = *parse_json(read_text(path));
  mark.set("pid", static_cast<std::int64_t>(getpid()));
  std::filesystem::remove(path);
  FILE* out = fopen(path.c_str(), "w");
  ASSERT_NE(out, nullptr);
  fputs(mark.dump().c_str(), out);
  fclose(out);
  start();
  EXPECT_EQ(state(id), "terminated");
  EXPECT_EQ(text(id, "state_reason"), "Server.InternalError");
}

TEST_F(InstanceTest, AnInstanceWhoseRecordIsRemovedEnds) {
  const auto id = run_one("#!/bin/bash\nsetsid sleep 1000 & echo $! > new; mv new child; wait\n");
  const int child = pid_in(id, "child");
  ASSERT_TRUE(reaches(id, "running"));
  const auto supervisor = static_cast<int>(*instance(id).find("supervisor_pid")->if_int());
  stop();
  std::filesystem::remove_all(directory_ + "/cloud");
  EXPECT_TRUE(dies(child));
  // It is this process's child, and a zombie until it is waited for.
  EXPECT_TRUE(eventually([&] { return waitpid(supervisor, nullptr, WNOHANG) == supervisor; }));
}

TEST_F(InstanceTest, TerminatedInstancesAreForgottenAfterAWhile) {
  stop();
  auto forgetful = options();
  forgetful.terminated_retention = Millis(1);
  start(forgetful);
  const auto id = run_one("#!/bin/sh\n");
  EXPECT_TRUE(eventually([&] { return control("GET", "/instances/" + id).status == 404; }));
  EXPECT_EQ(error("DescribeInstances", {{"InstanceId.1", id}}), "400 InvalidInstanceID.NotFound");
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(directory_ + "/cloud/instances/" + id); }));
}

// A page of a browser on this machine, whose name was made to lead here, could read the user data.
TEST(ImdsHost, PagesUnderTheirOwnNameAreNotServed) {
  Imds imds([]() -> Result<Instance> { return Instance{}; }, [] { return std::string(); });
  http::Request head;
  for (const char* host : {"evil.example:80", "localhost.evil.example", ""}) {
    head.headers = {{"host", host}};
    EXPECT_EQ(imds.on_head(head).index(), 1U) << host;
  }
  for (const char* host :
       {"127.0.0.1:4001", "169.254.169.254", "localhost", "instance-data", "[fd00:ec2::254]"}) {
    head.headers = {{"host", host}};
    EXPECT_EQ(imds.on_head(head).index(), 0U) << host;
  }
}

}  // namespace
}  // namespace drover::localcloud
