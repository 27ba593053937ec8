#include "drover/base/http_date.hpp"
#include "drover/base/text.hpp"

#include "cloud_fixture.hpp"

namespace drover::localcloud {
namespace {

class FaultsTest : public CloudTest {
 protected:
  void SetUp() override {
    CloudTest::SetUp();
    start();
  }
  void arm(const std::string& fault, const std::string& body) {
    const auto reply = control("POST", "/" + fault, body);
    EXPECT_EQ(reply.status, 200) << reply.body;
  }
  std::string launch(const Form& more = {}) {
    Form form{{"ImageId", "ami-1"}, {"MinCount", "1"}, {"MaxCount", "1"}, {"UserData", base64_encode(kIdle)}};
    for (const auto& [name, value] : more) {
      std::erase_if(form, [&](const auto& item) { return item.first == name; });
      form.emplace_back(name, value);
    }
    return error("RunInstances", form);
  }
  std::size_t count() { return values_of(ok("DescribeInstances"), "instanceId").size(); }
};

TEST_F(FaultsTest, ThrottlesByTheRequest) {
  arm("throttle", R"({"action":"DescribeInstances","requests":2})");
  EXPECT_EQ(error("DescribeInstances"), "503 RequestLimitExceeded");
  EXPECT_EQ(error("DescribeRegions"), "200 ");
  EXPECT_EQ(error("DescribeInstances"), "503 RequestLimitExceeded");
  EXPECT_EQ(error("DescribeInstances"), "200 ");
  arm("throttle", R"({"action":"*","requests":1000})");
  EXPECT_EQ(error("DescribeRegions"), "503 RequestLimitExceeded");
  arm("throttle", R"({"action":"*","off":true})");
  EXPECT_EQ(error("DescribeRegions"), "200 ");
}

TEST_F(FaultsTest, ThrottlesByBucketsWhenOn) {
  stop();
  auto throttled = options();
  throttled.throttle = true;
  start(throttled);
  int refused = 0;
  for (int i = 0; i < 40; ++i) {
    if (error("RunInstances", {{"DryRun", "true"}}) == "503 RequestLimitExceeded") ++refused;
  }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(error("DescribeRegions"), "200 ");
}

TEST_F(FaultsTest, RunsOutOfCapacityByTypeAndZone) {
  arm("capacity", R"({"type":"m5.large","zone":"us-east-1a","available":0})");
  EXPECT_EQ(launch({{"InstanceType", "m5.large"}, {"Placement.AvailabilityZone", "us-east-1a"}}),
            "500 InsufficientInstanceCapacity");
  EXPECT_EQ(launch({{"InstanceType", "m5.large"}, {"Placement.AvailabilityZone", "us-east-1b"}}), "200 ");
  EXPECT_EQ(launch({{"InstanceType", "c5.large"}, {"Placement.AvailabilityZone", "us-east-1a"}}), "200 ");
  // Without a zone the others are tried.
  const auto placed = run(kIdle, {{"InstanceType", "m5.large"}});
  EXPECT_EQ(text(placed.at(0), "zone"), "us-east-1b");
  // MaxCount may come in part, MinCount may not.
  arm("capacity", R"({"type":"r5.large","available":2})");
  EXPECT_EQ(launch({{"InstanceType", "r5.large"}, {"MinCount", "3"}, {"MaxCount", "3"}}),
            "500 InsufficientInstanceCapacity");
  EXPECT_EQ(run(kIdle, {{"InstanceType", "r5.large"}, {"MaxCount", "5"}}).size(), 2U);
  EXPECT_EQ(launch({{"InstanceType", "r5.large"}}), "500 InsufficientInstanceCapacity");
  arm("capacity", R"({"type":"r5.large","available":null})");
  EXPECT_EQ(launch({{"InstanceType", "r5.large"}}), "200 ");
}

TEST_F(FaultsTest, LosesTheReplyOfACallThatHappened) {
  arm("lose-reply", R"({"action":"RunInstances","count":1})");
  const auto lost =
      send("Action=RunInstances&Version=2016-11-15&ImageId=ami-1&MinCount=1&MaxCount=1&ClientToken=lost", {});
  ASSERT_FALSE(lost.ok()) << lost->status;
  EXPECT_EQ(lost.error().code, Errc::unavailable);
  EXPECT_EQ(count(), 1U);
  const auto again =
      send("Action=RunInstances&Version=2016-11-15&ImageId=ami-1&MinCount=1&MaxCount=1&ClientToken=lost", {});
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->status, 200);
  EXPECT_EQ(count(), 1U);
}

TEST_F(FaultsTest, TruncatesAPage) {
  run_one(kIdle);
  arm("truncate-page", R"({"count":1})");
  const auto cut = call("DescribeInstances");
  EXPECT_EQ(cut.status, 200);
  EXPECT_EQ(cut.body.find("</DescribeInstancesResponse>"), std::string::npos);
  EXPECT_NE(ok("DescribeInstances").find("</DescribeInstancesResponse>"), std::string::npos);
}

TEST_F(FaultsTest, DelaysACall) {
  arm("delay", R"({"action":"DescribeInstances","ms":150})");
  const auto began = std::chrono::steady_clock::now();
  ok("DescribeInstances");
  // A lower bound only: this is what was asked for.
  EXPECT_GE(std::chrono::steady_clock::now() - began, Millis(150));
}

TEST_F(FaultsTest, FailsAsPlanned) {
  arm("error", R"({"action":"RunInstances","code":"VcpuLimitExceeded","message":"no & more"})");
  const auto reply = call("RunInstances", {{"ImageId", "ami-1"}, {"MinCount", "1"}, {"MaxCount", "1"}});
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(value_of(reply.body, "Code"), "VcpuLimitExceeded");
  EXPECT_EQ(value_of(reply.body, "Message"), "no &amp; more");
  EXPECT_EQ(launch(), "200 ");
  arm("error", R"({"action":"DescribeInstances","code":"InternalError","status":502,"count":2})");
  EXPECT_EQ(error("DescribeInstances"), "502 InternalError");
  EXPECT_EQ(error("DescribeInstances"), "502 InternalError");
  EXPECT_EQ(error("DescribeInstances"), "200 ");
}

TEST_F(FaultsTest, RefusesWhatThePolicyDenies) {
  const Form dry{{"ImageId", "ami-1"}, {"MinCount", "1"}, {"MaxCount", "1"}, {"DryRun", "true"}};
  const auto tried = [&](const Form& more) {
    auto form = dry;
    form.insert(form.end(), more.begin(), more.end());
    return error("RunInstances", form);
  };
  const Form tagged{{"TagSpecification.1.ResourceType", "instance"}, {"TagSpecification.1.Tag.1.Key", "k"}};
  const Form with_role{{"IamInstanceProfile.Name", "worker"}};
  const Form on_spot{{"InstanceMarketOptions.MarketType", "spot"}};
  const auto id = run_one(kIdle);
  EXPECT_EQ(tried({}), "412 DryRunOperation");

  arm("deny", R"({"actions":["ec2:CreateTags"]})");
  EXPECT_EQ(tried({}), "412 DryRunOperation");
  EXPECT_EQ(tried(tagged), "403 UnauthorizedOperation");
  EXPECT_EQ(error("CreateTags", {{"ResourceId.1", id}, {"Tag.1.Key", "k"}, {"Tag.1.Value", "v"}}),
            "403 UnauthorizedOperation");
  arm("deny", R"({"actions":["iam:PassRole"]})");
  EXPECT_EQ(tried(tagged), "412 DryRunOperation");
  EXPECT_EQ(tried(with_role), "403 UnauthorizedOperation");
  arm("deny", R"({"actions":["iam:CreateServiceLinkedRole"]})");
  EXPECT_EQ(tried({}), "412 DryRunOperation");
  EXPECT_EQ(tried(on_spot), "400 AuthFailure.ServiceLinkedRoleCreationNotPermitted");

  // What is denied is denied without DryRun too, and has no effect.
  arm("deny",
      R"({"actions":["ec2:RunInstances","ec2:TerminateInstances","ec2:DescribeInstances","ec2:DescribeImages"]})");
  EXPECT_EQ(launch(), "403 UnauthorizedOperation");
  EXPECT_EQ(error("TerminateInstances", {{"InstanceId.1", id}}), "403 UnauthorizedOperation");
  EXPECT_EQ(error("DescribeInstances"), "403 UnauthorizedOperation");
  EXPECT_EQ(error("DescribeImages", {{"DryRun", "true"}}), "403 UnauthorizedOperation");
  EXPECT_EQ(error("DescribeRegions"), "200 ");
  const auto reply = call("TerminateInstances", {{"InstanceId.1", id}, {"DryRun", "true"}});
  EXPECT_NE(value_of(reply.body, "Message").find("ec2:TerminateInstances"), std::string::npos);
  // As on EC2 a machine must exist before it is asked who may end it.
  EXPECT_EQ(error("TerminateInstances", {{"InstanceId.1", "i-0123456789abcdef0"}, {"DryRun", "true"}}),
            "400 InvalidInstanceID.NotFound");
  arm("deny", R"({"actions":[]})");
  EXPECT_EQ(error("TerminateInstances", {{"InstanceId.1", id}, {"DryRun", "true"}}), "412 DryRunOperation");
  EXPECT_TRUE(reaches(id, "running"));
  EXPECT_EQ(count(), 1U);
}

TEST_F(FaultsTest, ShowsNewInstancesLate) {
  arm("visibility", R"({"delay_ms":86400000})");
  const auto id = run_one(kIdle);
  EXPECT_EQ(count(), 0U);
  EXPECT_EQ(error("DescribeInstances", {{"InstanceId.1", id}}), "400 InvalidInstanceID.NotFound");
  EXPECT_EQ(error("TerminateInstances", {{"InstanceId.1", id}}), "400 InvalidInstanceID.NotFound");
  arm("visibility", R"({"delay_ms":0})");
  EXPECT_EQ(count(), 1U);
}

TEST_F(FaultsTest, RunsOnAnotherClock) {
  arm("clock", R"({"offset_s":3600})");
  const std::string body = "Action=DescribeInstances&Version=2016-11-15";
  const auto early = send(body, {});
  ASSERT_TRUE(early.ok());
  EXPECT_EQ(value_of(early->body, "Code"), "RequestExpired");
  // The answer says what time it is there, so that a client can correct its own.
  const auto date = parse_http_date(early->header("date"));
  ASSERT_TRUE(date);
  EXPECT_GT(*date, std::chrono::system_clock::now() + Seconds(3500));
  const auto right = send(body, {.clock_offset = Seconds(3600)});
  ASSERT_TRUE(right.ok());
  EXPECT_EQ(right->status, 200);
}

TEST_F(FaultsTest, CountsCallsAndClears) {
  ok("DescribeInstances");
  ok("DescribeInstances");
  EXPECT_EQ(control("GET", "/calls").body, "{\"DescribeInstances\":2}\n");
  arm("throttle", R"({"action":"*","requests":1000})");
  arm("capacity", R"({"available":0})");
  arm("deny", R"({"actions":["ec2:RunInstances"]})");
  EXPECT_EQ(control("DELETE", "/faults").status, 200);
  EXPECT_EQ(launch(), "200 ");
  EXPECT_EQ(
      control("GET", "/faults").body,
      R"({"capacity":[],"denied":[],"throttle":{},"lose_reply":{},"truncate_page":{},"delay_ms":{},"errors":{},)"
      R"("clock_offset_s":0,"visibility_delay_ms":0})"
      "\n");
}

TEST_F(FaultsTest, TheControlInterfaceNamesTheBadMember) {
  const auto field_of = [&](const std::string& path, const std::string& body) {
    const auto reply = control("POST", path, body);
    EXPECT_GE(reply.status, 400);
    EXPECT_LT(reply.status, 500);
    const auto json = parse_json(reply.body);
    const auto* field = json.ok() ? json->find("field") : nullptr;
    return field == nullptr || field->if_string() == nullptr ? std::string("none") : *field->if_string();
  };
  const auto id = run_one(kIdle);
  EXPECT_EQ(field_of("/throttle", R"({"requests":1})"), "action");
  EXPECT_EQ(field_of("/throttle", R"({"action":"Fly","requests":1})"), "action");
  for (const auto* actions :
       {R"("ec2:*")", R"(["RunInstances"])", R"(["ec2:Fly"])", R"(["iam:Fly"])", R"([1])"}) {
    EXPECT_EQ(field_of("/deny", R"({"actions":)" + std::string(actions) + "}"), "actions");
  }
  EXPECT_EQ(field_of("/throttle", R"({"action":"*"})"), "requests");
  EXPECT_EQ(field_of("/throttle", R"({"action":"*","off":1})"), "off");
  EXPECT_EQ(field_of("/capacity", R"({"available":-1})"), "available");
  EXPECT_EQ(field_of("/capacity", R"({"type":7,"available":1})"), "type");
  EXPECT_EQ(field_of("/delay", R"({"ms":"soon"})"), "ms");
  EXPECT_EQ(field_of("/delay", R"({"ms":1,"colour":"red"})"), "colour");
  EXPECT_EQ(field_of("/error", R"({"action":"*"})"), "code");
  EXPECT_EQ(field_of("/instances/" + id + "/interrupt", R"({"notice_s":-1})"), "notice_s");
  EXPECT_EQ(field_of("/instances/" + id + "/kill", R"({"reason":"because"})"), "reason");
  EXPECT_EQ(control("POST", "/throttle", "[]").status, 400);
  EXPECT_EQ(control("POST", "/throttle", "{").status, 400);
  EXPECT_EQ(control("POST", "/instances/i-00000000/kill").status, 404);
  EXPECT_EQ(control("GET", "/nowhere").status, 404);
}

TEST_F(FaultsTest, LimitsTheNumberOfInstances) {
  stop();
  auto small = options();
  small.max_instances = 2;
  start(small);
  EXPECT_EQ(run(kIdle, {{"MaxCount", "5"}}).size(), 2U);
  EXPECT_EQ(launch(), "400 InstanceLimitExceeded");
  EXPECT_EQ(launch({{"InstanceMarketOptions.MarketType", "spot"}}), "400 MaxSpotInstanceCountExceeded");
}

TEST_F(FaultsTest, OneLocalCloudToADirectoryAndOnLoopbackOnly) {
  LocalCloud second(options());
  const auto started = second.start();
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().code, Errc::conflict);
  const auto field_of = [](const LocalCloudOptions& wrong) {
    LocalCloud cloud(wrong);
    const auto result = cloud.start();
    return result.ok() ? std::string("started") : result.error().field;
  };
  auto wrong = options();
  wrong.address = "0.0.0.0";
  EXPECT_EQ(field_of(wrong), "address");
  wrong = options();
  wrong.control_address = "10.0.0.1";
  EXPECT_EQ(field_of(wrong), "control_address");
  wrong = options();
  wrong.secret_key = Secret();
  EXPECT_EQ(field_of(wrong), "secret_key");
  wrong = options();
  wrong.data_dir.clear();
  EXPECT_EQ(field_of(wrong), "data_dir");
}

}  // namespace
}  // namespace drover::localcloud
