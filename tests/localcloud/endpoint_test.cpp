#include <set>

#include "drover/aws/ec2_cloud.hpp"
#include "drover/base/text.hpp"

#include "cloud_fixture.hpp"

namespace drover::localcloud {
namespace {

constexpr const char* kDescribe = "Action=DescribeInstances&Version=2016-11-15";

class EndpointTest : public CloudTest {
 protected:
  void SetUp() override {
    CloudTest::SetUp();
    start();
  }
  std::string refused(const Signing& signing) {
    const auto reply = send(kDescribe, signing);
    return reply.ok() ? std::to_string(reply->status) + " " + value_of(reply->body, "Code") : "no answer";
  }
  std::set<std::string> listed(const Form& form) {
    const auto ids = values_of(ok("DescribeInstances", form), "instanceId");
    return {ids.begin(), ids.end()};
  }
};

TEST_F(EndpointTest, ChecksTheSignature) {
  EXPECT_EQ(refused({}), "200 ");
  EXPECT_EQ(refused({.secret = "another"}), "403 SignatureDoesNotMatch");
  EXPECT_EQ(refused({.access_key = "AKIDOTHER"}), "401 AuthFailure");
  EXPECT_EQ(refused({.region = "eu-west-1"}), "403 SignatureDoesNotMatch");
  EXPECT_EQ(refused({.service = "s3"}), "403 SignatureDoesNotMatch");
  EXPECT_EQ(refused({.clock_offset = Seconds(-16 * 60)}), "400 RequestExpired");
  EXPECT_EQ(refused({.clock_offset = Seconds(16 * 60)}), "400 RequestExpired");
  EXPECT_EQ(refused({.clock_offset = Seconds(-14 * 60)}), "200 ");
}

TEST_F(EndpointTest, RefusesARequestWithoutOrWithAnothersSignature) {
  ports::HttpRequest request;
  request.method = "POST";
  request.url = cloud_->endpoint() + "/";
  request.body = kDescribe;
  auto reply = http_.send(request);
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->status, 403);
  EXPECT_EQ(value_of(reply->body, "Code"), "MissingAuthenticationToken");
  EXPECT_FALSE(value_of(reply->body, "RequestID").empty());

  // A signature made for one body does not serve another.
  request.headers = {{"Host", "127.0.0.1:" + std::to_string(cloud_->port())}};
  aws::RequestParts parts;
  parts.headers = request.headers;
  parts.body = kDescribe;
  const auto now = std::chrono::floor<Micros>(std::chrono::system_clock::now());
  for (const auto& header :
       aws::sign(parts, {"AKIDTEST", Secret("a secret"), {}, {}}, now, "us-east-1", "ec2")) {
    request.headers.push_back(header);
  }
  reply = http_.send(request);
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->status, 200);
  request.body += "&DryRun=false";
  reply = http_.send(request);
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(value_of(reply->body, "Code"), "SignatureDoesNotMatch");
}

TEST_F(EndpointTest, TakesRequestsByGet) {
  const auto id = run_one(kIdle, {{"ClientToken", "a b+c"}});
  const std::string describe = "Action=DescribeInstances&Version=2016-11-15";
  const auto code = [&](const Result<ports::HttpReply>& reply) {
    return reply.ok() ? std::to_string(reply->status) + " " + value_of(reply->body, "Code") : "no answer";
  };
  const auto filter = "&Filter.1.Name=client-token&Filter.1.Value.1=";
  const auto listed = get(describe + filter + "a%20b%2Bc", {});
  ASSERT_TRUE(listed.ok());
  EXPECT_EQ(values_of(listed->body, "instanceId"), std::vector<std::string>{id});
  EXPECT_EQ(code(get(describe, {.secret = "another"})), "403 SignatureDoesNotMatch");
  EXPECT_EQ(code(get(describe, {.clock_offset = Seconds(-16 * 60)})), "400 RequestExpired");
  EXPECT_EQ(code(get(describe + "&Colour=red", {})), "400 UnknownParameter");
  EXPECT_EQ(code(get(describe + "&X-Amz-Date=x", {})), "400 UnknownParameter");
  EXPECT_EQ(code(get("Version=2016-11-15", {})), "400 MissingAction");
  // A query beside a body is neither.
  ports::HttpRequest both;
  both.method = "POST";
  both.url = cloud_->endpoint() + "/?" + describe;
  EXPECT_EQ(code(http_.send(both)), "400 InvalidRequest");
}

TEST_F(EndpointTest, TakesASignatureInTheQuery) {
  const auto now = std::chrono::floor<Micros>(std::chrono::system_clock::now());
  const auto presigned = [&](const std::string& expires, Seconds age, const std::string& secret) {
    const auto date = aws::amz_date(now - age);
    const auto scope = date.substr(0, 8) + "/us-east-1/ec2/aws4_request";
    const auto query =
        "Action=DescribeRegions&Version=2016-11-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" +
        percent_encode("AKIDTEST/" + scope) + "&X-Amz-Date=" + date + "&X-Amz-Expires=" + expires +
        "&X-Amz-SignedHeaders=host";
    const Form host{{"Host", "127.0.0.1:" + std::to_string(cloud_->port())}};
    const auto claim = aws::parse_authorization("AWS4-HMAC-SHA256 Credential=AKIDTEST/" + scope +
                                                ", SignedHeaders=host, Signature=" + std::string(64, '0'));
    aws::RequestParts parts;
    parts.method = "GET";
    parts.query = query;
    parts.headers = host;
    ports::HttpRequest request;
    request.method = "GET";
    request.url = cloud_->endpoint() + "/?" + query +
                  "&X-Amz-Signature=" + aws::expected_signature(parts, *claim, date, Secret(secret));
    const auto reply = http_.send(request);
    return reply.ok() ? std::to_string(reply->status) + " " + value_of(reply->body, "Code") : "no answer";
  };
  EXPECT_EQ(presigned("60", Seconds(0), "a secret"), "200 ");
  EXPECT_EQ(presigned("7200", Seconds(3600), "a secret"), "200 ");
  EXPECT_EQ(presigned("60", Seconds(120), "a secret"), "400 RequestExpired");
  EXPECT_EQ(presigned("60", Seconds(-16 * 60), "a secret"), "400 RequestExpired");
  EXPECT_EQ(presigned("0", Seconds(0), "a secret"), "400 InvalidParameterValue");
  EXPECT_EQ(presigned("604801", Seconds(0), "a secret"), "400 InvalidParameterValue");
  EXPECT_EQ(presigned("60", Seconds(0), "another"), "403 SignatureDoesNotMatch");
}

TEST_F(EndpointTest, RefusesUnknownActionsAndForeignListForms) {
  EXPECT_EQ(error("StartRocket"), "400 InvalidAction");
  EXPECT_EQ(error("DescribeInstances", {{"InstanceId.member.1", "i-0"}}), "400 UnknownParameter");
  EXPECT_EQ(error("DescribeInstances", {{"DryRun", "true"}}), "412 DryRunOperation");
}

TEST_F(EndpointTest, RunsDescribesAndTerminates) {
  const auto xml = ok("RunInstances", {{"ImageId", "ami-12"},
                                       {"InstanceType", "c7g.large"},
                                       {"MinCount", "1"},
                                       {"MaxCount", "2"},
                                       {"ClientToken", "t-1"},
                                       {"Placement.AvailabilityZone", "us-east-1b"},
                                       {"InstanceMarketOptions.MarketType", "spot"},
                                       {"InstanceMarketOptions.SpotOptions.MaxPrice", "0.05"},
                                       {"UserData", base64_encode(kIdle)},
                                       {"TagSpecification.1.ResourceType", "instance"},
                                       {"TagSpecification.1.Tag.1.Key", "a<b"},
                                       {"TagSpecification.1.Tag.1.Value", "x&y"}});
  const auto ids = values_of(xml, "instanceId");
  ASSERT_EQ(ids.size(), 2U);
  EXPECT_EQ(value_of(xml, "name"), "pending");
  EXPECT_EQ(value_of(xml, "instanceType"), "c7g.large");
  EXPECT_EQ(value_of(xml, "architecture"), "arm64");
  EXPECT_EQ(value_of(xml, "availabilityZone"), "us-east-1b");
  EXPECT_EQ(value_of(xml, "instanceLifecycle"), "spot");
  EXPECT_EQ(value_of(xml, "clientToken"), "t-1");
  EXPECT_EQ(value_of(xml, "key"), "a&lt;b");
  EXPECT_EQ(value_of(xml, "value"), "x&amp;y");
  ASSERT_TRUE(reaches(ids[0], "running"));
  ASSERT_TRUE(reaches(ids[1], "running"));

  const auto ended = ok("TerminateInstances", {{"InstanceId.1", ids[0]}});
  EXPECT_EQ(values_of(ended, "name"), (std::vector<std::string>{"shutting-down", "running"}));
  ASSERT_TRUE(reaches(ids[0], "terminated"));
  const auto listed = ok("DescribeInstances", {{"InstanceId.1", ids[0]}});
  EXPECT_EQ(value_of(listed, "name"), "terminated");
  EXPECT_NE(listed.find("<stateReason><code>Client.UserInitiatedShutdown</code>"
                        "<message>Client.UserInitiatedShutdown: User initiated shutdown</message>"),
            std::string::npos);
  EXPECT_EQ(state(ids[1]), "running");
  // Again is no error.
  const auto again = ok("TerminateInstances", {{"InstanceId.1", ids[0]}});
  EXPECT_EQ(values_of(again, "name"), (std::vector<std::string>{"terminated", "terminated"}));
}

TEST_F(EndpointTest, OnDemandInstancesHaveNoLifecycle) {
  const auto id = run_one(kIdle);
  const auto xml = ok("DescribeInstances", {{"InstanceId.1", id}});
  EXPECT_EQ(xml.find("instanceLifecycle"), std::string::npos);
  EXPECT_EQ(xml.find("stateReason"), std::string::npos);
}

TEST_F(EndpointTest, Filters) {
  const auto tagged = run_one(kIdle, {{"InstanceType", "m5.large"},
                                      {"ClientToken", "tok-a"},
                                      {"Placement.AvailabilityZone", "us-east-1c"},
                                      {"InstanceMarketOptions.MarketType", "spot"},
                                      {"TagSpecification.1.ResourceType", "instance"},
                                      {"TagSpecification.1.Tag.1.Key", "drover:pool"},
                                      {"TagSpecification.1.Tag.1.Value", "blue"}});
  const auto plain = run_one(kIdle, {{"InstanceType", "t3.micro"}, {"ClientToken", "tok-b"}});
  ASSERT_TRUE(reaches(tagged, "running"));
  ASSERT_TRUE(reaches(plain, "running"));
  const auto by = [&](const std::string& name, const std::vector<std::string>& values) {
    Form form{{"Filter.1.Name", name}};
    for (std::size_t i = 0; i < values.size(); ++i)
      form.emplace_back("Filter.1.Value." + std::to_string(i + 1), values[i]);
    return listed(form);
  };
  using Ids = std::set<std::string>;
  EXPECT_EQ(by("tag:drover:pool", {"blue"}), Ids{tagged});
  EXPECT_EQ(by("tag:drover:pool", {"b*", "red"}), Ids{tagged});
  EXPECT_EQ(by("tag:drover:pool", {"b"}), Ids{});
  EXPECT_EQ(by("tag-key", {"drover:*"}), Ids{tagged});
  EXPECT_EQ(by("instance-lifecycle", {"spot"}), Ids{tagged});
  EXPECT_EQ(by("instance-lifecycle", {"*"}), Ids{tagged});
  EXPECT_EQ(by("instance-type", {"t3.*"}), Ids{plain});
  EXPECT_EQ(by("instance-type", {"t3.micr?"}), Ids{plain});
  EXPECT_EQ(by("availability-zone", {"us-east-1c"}), Ids{tagged});
  EXPECT_EQ(by("client-token", {"tok-b"}), Ids{plain});
  EXPECT_EQ(by("client-token", {"tok-*"}), (Ids{tagged, plain}));
  EXPECT_EQ(by("client-token", {"tok-\\*"}), Ids{});
  EXPECT_EQ(by("instance-id", {plain, "i-0000000000000dead"}), Ids{plain});
  EXPECT_EQ(by("instance-state-name", {"running", "pending"}), (Ids{tagged, plain}));
  EXPECT_EQ(by("instance-state-name", {"terminated"}), Ids{});
  // Filters are joined by and.
  EXPECT_EQ(listed({{"Filter.1.Name", "instance-type"},
                    {"Filter.1.Value.1", "m5.large"},
                    {"Filter.2.Name", "client-token"},
                    {"Filter.2.Value.1", "tok-b"}}),
            Ids{});
  EXPECT_EQ(error("DescribeInstances", {{"Filter.1.Name", "colour"}, {"Filter.1.Value.1", "x"}}),
            "400 InvalidParameterValue");
  EXPECT_EQ(error("DescribeInstances", {{"Filter.1.Name", "client-token"}}), "400 InvalidParameterValue");
}

TEST_F(EndpointTest, NamesTheIdsThatDoNotExist) {
  const auto id = run_one(kIdle);
  const auto one = call("DescribeInstances", {{"InstanceId.1", id}, {"InstanceId.2", "i-0123456789abcdef0"}});
  EXPECT_EQ(one.status, 400);
  EXPECT_EQ(value_of(one.body, "Code"), "InvalidInstanceID.NotFound");
  EXPECT_EQ(value_of(one.body, "Message"), "The instance ID 'i-0123456789abcdef0' does not exist");
  const auto two = call("TerminateInstances", {{"InstanceId.1", "i-0123456789abcdef0"},
                                               {"InstanceId.2", id},
                                               {"InstanceId.3", "i-0123456789abcdef1"}});
  EXPECT_EQ(value_of(two.body, "Message"),
            "The instance IDs 'i-0123456789abcdef0, i-0123456789abcdef1' do not exist");
  EXPECT_EQ(error("DescribeInstances", {{"InstanceId.1", "1-1"}}), "400 InvalidInstanceID.Malformed");
  EXPECT_EQ(error("TerminateInstances"), "400 MissingParameter");
  EXPECT_NE(state(id), "terminated");
}

TEST_F(EndpointTest, Pages) {
  const auto ids = run(kIdle, {{"MinCount", "12"}, {"MaxCount", "12"}});
  ASSERT_EQ(ids.size(), 12U);
  std::vector<std::string> seen;
  std::vector<std::size_t> sizes;
  std::string token;
  do {
    Form form{{"MaxResults", "5"}};
    if (!token.empty()) form.emplace_back("NextToken", token);
    const auto xml = ok("DescribeInstances", form);
    const auto page = values_of(xml, "instanceId");
    sizes.push_back(page.size());
    seen.insert(seen.end(), page.begin(), page.end());
    token = value_of(xml, "nextToken");
  } while (!token.empty() && sizes.size() < 10);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{5, 5, 2}));
  EXPECT_EQ(seen, ids);
  EXPECT_EQ(value_of(ok("DescribeInstances", {{"MaxResults", "12"}}), "nextToken"), "");
  EXPECT_EQ(error("DescribeInstances", {{"MaxResults", "4"}}), "400 InvalidParameterValue");
  EXPECT_EQ(error("DescribeInstances", {{"MaxResults", "1001"}}), "400 InvalidParameterValue");
  EXPECT_EQ(error("DescribeInstances", {{"MaxResults", "5"}, {"InstanceId.1", ids[0]}}),
            "400 InvalidParameterCombination");
  EXPECT_EQ(error("DescribeInstances", {{"MaxResults", "5"}, {"NextToken", "bm8="}}), "400 InvalidNextToken");
  // A token belongs to its own listing.
  const auto first = value_of(ok("DescribeInstances", {{"MaxResults", "5"}}), "nextToken");
  EXPECT_EQ(error("DescribeInstances",
                  {{"NextToken", first}, {"Filter.1.Name", "instance-type"}, {"Filter.1.Value.1", "*"}}),
            "400 InvalidNextToken");
}

TEST_F(EndpointTest, AClientTokenLaunchesOnce) {
  const Form form{{"ClientToken", "once"}, {"MaxCount", "2"}};
  const auto first = run(kIdle, form);
  EXPECT_EQ(run(kIdle, form), first);
  EXPECT_EQ(listed({}).size(), 2U);
  EXPECT_EQ(error("RunInstances", {{"ImageId", "ami-1"},
                                   {"MinCount", "1"},
                                   {"MaxCount", "3"},
                                   {"ClientToken", "once"},
                                   {"UserData", base64_encode(kIdle)}}),
            "400 IdempotentParameterMismatch");
  EXPECT_NE(run(kIdle, {{"ClientToken", "twice"}, {"MaxCount", "2"}}), first);
  ok("TerminateInstances", {{"InstanceId.1", first[0]}, {"InstanceId.2", first[1]}});
  ASSERT_TRUE(reaches(first[0], "terminated"));
  ASSERT_TRUE(reaches(first[1], "terminated"));
  EXPECT_EQ(error("RunInstances", {{"ImageId", "ami-1"},
                                   {"MinCount", "1"},
                                   {"MaxCount", "2"},
                                   {"ClientToken", "once"},
                                   {"UserData", base64_encode(kIdle)},
                                   {"InstanceInitiatedShutdownBehavior", "terminate"}}),
            "400 IdempotentInstanceTerminated");
}

TEST_F(EndpointTest, ChecksWhatIsAskedFor) {
  const auto with = [&](const Form& changes) {
    Form form{{"ImageId", "ami-1"}, {"MinCount", "1"}, {"MaxCount", "1"}};
    for (const auto& [name, value] : changes) {
      std::erase_if(form, [&](const auto& item) { return item.first == name; });
      if (!value.empty()) form.emplace_back(name, value);
    }
    return error("RunInstances", form);
  };
  EXPECT_EQ(with({{"ImageId", ""}}), "400 MissingParameter");
  EXPECT_EQ(with({{"ImageId", "image"}}), "400 InvalidAMIID.Malformed");
  EXPECT_EQ(with({{"MinCount", ""}}), "400 MissingParameter");
  EXPECT_EQ(with({{"MinCount", "0"}}), "400 InvalidParameterValue");
  EXPECT_EQ(with({{"MaxCount", "many"}}), "400 InvalidParameterValue");
  EXPECT_EQ(with({{"MinCount", "2"}}), "400 InvalidParameterCombination");
  EXPECT_EQ(with({{"InstanceType", "huge"}}), "400 InvalidParameterValue");
  EXPECT_EQ(with({{"UserData", "%%%"}}), "400 InvalidUserData.Malformed");
  EXPECT_EQ(with({{"UserData", base64_encode(std::string(16 * 1024 + 1, 'x'))}}),
            "400 InvalidParameterValue");
  EXPECT_EQ(with({{"SubnetId", "subnet-00z"}}), "400 InvalidSubnetID.NotFound");
  EXPECT_EQ(with({{"ClientToken", std::string(65, 't')}}), "400 InvalidParameterValue");
  EXPECT_EQ(with({{"Placement.AvailabilityZone", "mars-1a"}}), "400 InvalidParameterValue");
  EXPECT_EQ(with({{"InstanceMarketOptions.MarketType", "spot"},
                  {"InstanceMarketOptions.SpotOptions.MaxPrice", "0.0001"}}),
            "400 InvalidParameterValue");
  EXPECT_EQ(with({{"DryRun", "true"}}), "412 DryRunOperation");
  EXPECT_TRUE(listed({}).empty());
}

TEST_F(EndpointTest, TagsCanBeChangedLater) {
  const auto id = run_one(kIdle);
  ok("CreateTags", {{"ResourceId.1", id}, {"Tag.1.Key", "k"}, {"Tag.1.Value", "v"}});
  EXPECT_EQ(listed({{"Filter.1.Name", "tag:k"}, {"Filter.1.Value.1", "v"}}), std::set<std::string>{id});
  EXPECT_EQ(value_of(ok("DescribeTags"), "resourceId"), id);
  ok("DeleteTags", {{"ResourceId.1", id}, {"Tag.1.Key", "k"}});
  EXPECT_TRUE(listed({{"Filter.1.Name", "tag:k"}, {"Filter.1.Value.1", "v"}}).empty());
}

// The client that production uses, against the cloud that tests use.
TEST_F(EndpointTest, ServesTheEc2Client) {
  aws::StaticCredentials credentials({"AKIDTEST", Secret("a secret"), {}, {}});
  const SystemClock clock;
  aws::Ec2Options ec2;
  ec2.region = "us-east-1";
  ec2.endpoint = cloud_->endpoint();
  auto made = aws::Ec2Cloud::make(ec2, {.http = http_, .credentials = credentials, .clock = clock});
  ASSERT_TRUE(made.ok()) << made.error().message;
  auto& cloud = **made;
  core::LaunchRequest request;
  request.client_token = "launch-1";
  request.count = 2;
  request.image = "ami-1";
  request.instance_type = "m5.large";
  request.user_data = kIdle;
  request.tags = {{"drover:deployment", "d 1"}};
  const auto launched = cloud.run_instances(request);
  ASSERT_TRUE(launched.ok()) << launched.error().message;
  ASSERT_EQ(launched->size(), 2U);
  const auto& id = launched->front().id;
  ASSERT_TRUE(reaches(id, "running"));

  const auto tagged = cloud.list_by_tag("drover:deployment", "d 1");
  ASSERT_TRUE(tagged.ok()) << tagged.error().message;
  ASSERT_EQ(tagged->size(), 2U);
  EXPECT_EQ(tagged->front().id, id);
  EXPECT_EQ(tagged->front().state, core::InstanceState::running);
  EXPECT_EQ(tagged->front().client_token, "launch-1");
  EXPECT_TRUE(tagged->front().spot);
  EXPECT_TRUE(tagged->front().launched_at.has_value());
  EXPECT_TRUE(tagged->front().private_ip.starts_with("127."));

  const std::vector<std::string> ids{id, "i-0123456789abcdef0"};
  const auto known = cloud.list_by_id(ids);
  ASSERT_TRUE(known.ok()) << known.error().message;
  EXPECT_EQ(known->size(), 1U);
  EXPECT_TRUE(cloud.terminate(ids).ok());
  ASSERT_TRUE(reaches(id, "terminated"));
  const auto after = cloud.list_by_id(std::vector<std::string>{id});
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->front().state, core::InstanceState::terminated);
  EXPECT_EQ(after->front().state_reason, "Client.UserInitiatedShutdown");
}

}  // namespace
}  // namespace drover::localcloud
