#include <filesystem>

#include "drover/base/text.hpp"

#include "cloud_fixture.hpp"

namespace drover::localcloud {
namespace {

// Writes "boot" into its console each time it runs, and stays.
constexpr const char* kSays =
    "#!/bin/sh\necho boot; echo kept > file.new; mv file.new file; exec sleep 1000\n";

class LifecycleTest : public CloudTest {
 protected:
  void SetUp() override {
    CloudTest::SetUp();
    start();
  }
  std::string running(const std::string& script, const Form& more = {}) {
    auto id = run_one(script, more);
    EXPECT_TRUE(reaches(id, "running"));
    return id;
  }
  std::string described(const std::string& id, const std::string& element) {
    return value_of(ok("DescribeInstances", {{"InstanceId.1", id}}), element);
  }
  std::string of(const std::string& action, const std::string& id) {
    return error(action, {{"InstanceId.1", id}});
  }
  void protect(const std::string& id, const std::string& attribute, const std::string& value) {
    ok("ModifyInstanceAttribute", {{"InstanceId", id}, {attribute + ".Value", value}});
  }
};

const Form kSpot{{"InstanceMarketOptions.MarketType", "spot"}};

TEST_F(LifecycleTest, StopsAndStartsWithItsVolume) {
  const auto id = running(kSays);
  ASSERT_TRUE(eventually([&] { return !file(id, "file").empty(); }));
  const auto supervisor = static_cast<int>(*instance(id).find("supervisor_pid")->if_int());
  EXPECT_EQ(values_of(ok("StopInstances", {{"InstanceId.1", id}}), "name"),
            (std::vector<std::string>{"stopping", "running"}));
  ASSERT_TRUE(reaches(id, "stopped"));
  EXPECT_FALSE(process_exists(supervisor));
  EXPECT_EQ(described(id, "code"), "80");
  EXPECT_EQ(text(id, "state_reason"), "Client.UserInitiatedShutdown");
  EXPECT_EQ(file(id, "file"), "kept\n");
  // Again is no error.
  EXPECT_EQ(of("StopInstances", id), "200 ");

  EXPECT_EQ(values_of(ok("StartInstances", {{"InstanceId.1", id}}), "name"),
            (std::vector<std::string>{"pending", "stopped"}));
  ASSERT_TRUE(reaches(id, "running"));
  EXPECT_EQ(described(id, "code"), "16");
  EXPECT_EQ(text(id, "state_reason"), "");
  EXPECT_EQ(file(id, "file"), "kept\n");
  EXPECT_EQ(imds(id, "/latest/meta-data/instance-id").body, id);
  EXPECT_EQ(of("StartInstances", id), "200 ");
  // As on EC2 user data runs at the first boot only.
  EXPECT_EQ(base64_decode(value_of(ok("GetConsoleOutput", {{"InstanceId", id}}), "output")), "boot\n");
  ok("TerminateInstances", {{"InstanceId.1", id}});
  ASSERT_TRUE(reaches(id, "terminated"));
  EXPECT_EQ(of("StartInstances", id), "400 IncorrectInstanceState");
  EXPECT_EQ(of("StopInstances", id), "400 IncorrectInstanceState");
}

TEST_F(LifecycleTest, AStoppedInstanceOutlivesTheLocalCloudAndCanBeTerminated) {
  const auto id = running(kSays);
  ok("StopInstances", {{"InstanceId.1", id}});
  ASSERT_TRUE(reaches(id, "stopped"));
  stop();
  start();
  EXPECT_EQ(state(id), "stopped");
  EXPECT_EQ(control("POST", "/instances/" + id + "/kill").status, 409);
  EXPECT_EQ(values_of(ok("TerminateInstances", {{"InstanceId.1", id}}), "name"),
            (std::vector<std::string>{"terminated", "stopped"}));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/cloud/instances/" + id + "/root"));
}

TEST_F(LifecycleTest, OneTimeSpotInstancesCannotBeStopped) {
  const auto id = running(kIdle, kSpot);
  const auto plain = running(kIdle);
  EXPECT_EQ(of("StopInstances", id), "400 UnsupportedOperation");
  // All or none.
  EXPECT_EQ(error("StopInstances", {{"InstanceId.1", plain}, {"InstanceId.2", id}}),
            "400 UnsupportedOperation");
  EXPECT_EQ(state(plain), "running");
  EXPECT_EQ(error("StopInstances", {{"InstanceId.1", plain}, {"Hibernate", "true"}}),
            "400 UnsupportedHibernationConfiguration");
}

TEST_F(LifecycleTest, AMachineThatShutsItselfDownStopsUnlessItIsToTerminate) {
  const Form stops{{"InstanceInitiatedShutdownBehavior", "stop"}};
  const auto id = run_one("#!/bin/sh\nexit 0\n", stops);
  ASSERT_TRUE(reaches(id, "stopped"));
  EXPECT_EQ(text(id, "state_reason"), "Client.InstanceInitiatedShutdown");
  auto spot = stops;
  spot.insert(spot.end(), kSpot.begin(), kSpot.end());
  ASSERT_TRUE(reaches(run_one("#!/bin/sh\nexit 0\n", spot), "terminated"));
  const auto changed = running("#!/bin/bash\nuntil [ -e go ]; do sleep 0.01; done\n", stops);
  protect(changed, "InstanceInitiatedShutdownBehavior", "terminate");
  std::filesystem::create_directory(text(changed, "directory") + "/root/go");
  ASSERT_TRUE(reaches(changed, "terminated"));
}

TEST_F(LifecycleTest, ProtectionKeepsFromTerminationUntilItIsTakenAway) {
  const auto id = running(kIdle, {{"DisableApiTermination", "true"}});
  const auto reply = call("TerminateInstances", {{"InstanceId.1", id}});
  EXPECT_EQ(value_of(reply.body, "Code"), "OperationNotPermitted");
  EXPECT_EQ(value_of(reply.body, "Message"),
            "The instance '" + id +
                "' may not be terminated. Modify its 'disableApiTermination' instance attribute "
                "and try again.");
  EXPECT_EQ(state(id), "running");
  protect(id, "DisableApiTermination", "false");
  EXPECT_EQ(of("TerminateInstances", id), "200 ");
  ASSERT_TRUE(reaches(id, "terminated"));
}

// EC2 API reference, TerminateInstances: the example with four instances.
TEST_F(LifecycleTest, AProtectedInstanceKeepsThoseOfItsZone) {
  const auto in_zone = [&](const std::string& zone) {
    return running(kIdle, {{"Placement.AvailabilityZone", zone}});
  };
  const auto a = in_zone("us-east-1a");
  const auto b = in_zone("us-east-1a");
  const auto c = in_zone("us-east-1b");
  const auto d = in_zone("us-east-1b");
  protect(c, "DisableApiTermination", "true");
  EXPECT_EQ(error("TerminateInstances",
                  {{"InstanceId.1", a}, {"InstanceId.2", b}, {"InstanceId.3", c}, {"InstanceId.4", d}}),
            "400 OperationNotPermitted");
  ASSERT_TRUE(reaches(a, "terminated"));
  ASSERT_TRUE(reaches(b, "terminated"));
  EXPECT_EQ(state(c), "running");
  EXPECT_EQ(state(d), "running");
  EXPECT_EQ(error("TerminateInstances", {{"InstanceId.1", d}}), "200 ");
}

TEST_F(LifecycleTest, ProtectionKeepsFromStopping) {
  const auto id = running(kIdle, {{"DisableApiStop", "true"}});
  EXPECT_EQ(of("StopInstances", id), "400 OperationNotPermitted");
  protect(id, "DisableApiStop", "false");
  EXPECT_EQ(of("StopInstances", id), "200 ");
  ASSERT_TRUE(reaches(id, "stopped"));
}

TEST_F(LifecycleTest, ChangesOneAttributeAtATime) {
  const auto id = running(kIdle);
  const auto modify = [&](Form form) {
    form.emplace_back("InstanceId", id);
    return error("ModifyInstanceAttribute", form);
  };
  EXPECT_EQ(modify({{"Attribute", "disableApiTermination"}, {"Value", "true"}}), "200 ");
  EXPECT_EQ(of("TerminateInstances", id), "400 OperationNotPermitted");
  EXPECT_EQ(modify({{"Attribute", "disableApiTermination"}, {"Value", "false"}}), "200 ");
  EXPECT_EQ(modify({}), "400 InvalidParameterCombination");
  EXPECT_EQ(modify({{"DisableApiStop.Value", "true"}, {"DisableApiTermination.Value", "true"}}),
            "400 InvalidParameterCombination");
  EXPECT_EQ(modify({{"Attribute", "colour"}, {"Value", "red"}}), "400 InvalidParameterValue");
  EXPECT_EQ(modify({{"Attribute", "disableApiStop"}, {"Value", "perhaps"}}), "400 InvalidParameterValue");
  EXPECT_EQ(modify({{"DisableApiStop.Value", "1"}}), "400 InvalidParameterValue");
  EXPECT_EQ(modify({{"DisableApiStop", "true"}}), "400 UnknownParameter");
  EXPECT_EQ(modify({{"InstanceType.Value", "m5.large"}}), "400 UnsupportedOperation");
  const auto spot = running(kIdle, kSpot);
  EXPECT_EQ(error("ModifyInstanceAttribute", {{"InstanceId", spot}, {"DisableApiTermination.Value", "true"}}),
            "400 UnsupportedOperation");
  EXPECT_EQ(error("ModifyInstanceAttribute",
                  {{"InstanceId", "i-0123456789abcdef0"}, {"DisableApiStop.Value", "true"}}),
            "400 InvalidInstanceID.NotFound");
}

TEST_F(LifecycleTest, TriesWithoutEffect) {
  const auto id = running(kIdle);
  for (const auto* action : {"StopInstances", "StartInstances", "TerminateInstances"}) {
    EXPECT_EQ(error(action, {{"InstanceId.1", id}, {"DryRun", "true"}}), "412 DryRunOperation") << action;
  }
  EXPECT_EQ(error("ModifyInstanceAttribute",
                  {{"InstanceId", id}, {"DisableApiTermination.Value", "true"}, {"DryRun", "true"}}),
            "412 DryRunOperation");
  control("POST", "/deny", R"({"actions":["ec2:StopInstances"]})");
  EXPECT_EQ(of("StopInstances", id), "403 UnauthorizedOperation");
  EXPECT_EQ(state(id), "running");
}

}  // namespace
}  // namespace drover::localcloud
