#include "drover/aws/ec2_cloud.hpp"

#include <gmock/gmock.h>

#include "drover/base/limits.hpp"

#include "aws/ec2_cloud_fixture.hpp"

namespace drover::aws {
namespace {

using test::described;
using test::detail_of;
using test::ec2_error;
using test::Ec2CloudTest;
using test::launched;
using test::page;
using test::reply;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::vector<std::string> ids_of(const core::CloudResult<std::vector<core::Instance>>& result) {
  std::vector<std::string> out;
  if (!result.ok()) return {"error: " + test::detail_of(result)};
  for (const auto& instance : *result) out.push_back(instance.id);
  return out;
}

TEST_F(Ec2CloudTest, NeedsARegionAndAnEndpoint) {
  const Ec2Tools tools{http_, credentials_, clock_, {}, {}};
  EXPECT_FALSE(Ec2Cloud::make(Ec2Options{}, tools).ok());
  options_.endpoint = "nonsense";
  EXPECT_FALSE(Ec2Cloud::make(options_, tools).ok());
}

TEST_F(Ec2CloudTest, SendsASignedFormThatAServerCanVerify) {
  http_.then(launched({"i-1", "i-2"}));
  const auto instances = cloud().run_instances(launch());
  EXPECT_THAT(ids_of(instances), ElementsAre("i-1", "i-2"));
  const auto& request = http_.requests.at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "http://127.0.0.1:4566/");
  EXPECT_EQ(sent_header(0, "host"), "127.0.0.1:4566");
  EXPECT_EQ(parameter(0, "Action"), "RunInstances");
  EXPECT_EQ(parameter(0, "MaxCount"), "2");

  const auto claim = parse_authorization(sent_header(0, "authorization"));
  ASSERT_TRUE(claim);
  RequestParts parts;
  parts.headers = request.headers;
  parts.body = request.body;
  EXPECT_EQ(
      expected_signature(parts, *claim, sent_header(0, "x-amz-date"), test::golden_credentials().secret_key),
      claim->signature);
  EXPECT_THAT(claim->signed_headers, ElementsAre("content-type", "host", "x-amz-date"));
}

core::LaunchRequest with_disk(core::LaunchRequest request, const std::string& image) {
  request.disk_gib = 30;
  request.image = image;
  return request;
}

TEST_F(Ec2CloudTest, ASizeIsGivenToTheImagesOwnRootDevice) {
  http_.then(described("ami-1", "<rootDeviceName>/dev/sda1</rootDeviceName>"));
  http_.otherwise([](const auto&) { return launched({"i-1"}); });
  ASSERT_TRUE(cloud().run_instances(with_disk(launch(), "ami-1")).ok());
  EXPECT_EQ(parameter(0, "Action"), "DescribeImages");
  EXPECT_EQ(parameter(0, "ImageId.1"), "ami-1");
  EXPECT_EQ(parameter(1, "BlockDeviceMapping.1.DeviceName"), "/dev/sda1");
  EXPECT_EQ(parameter(1, "BlockDeviceMapping.1.Ebs.VolumeSize"), "30");
  // Asked for once an image, and only where a size is given.
  ASSERT_TRUE(cloud().run_instances(with_disk(launch(), "ami-1")).ok());
  ASSERT_TRUE(cloud().run_instances(launch()).ok());
  EXPECT_EQ(http_.requests.size(), 4U);
  EXPECT_EQ(parameter(2, "BlockDeviceMapping.1.DeviceName"), "/dev/sda1");
  EXPECT_EQ(parameter(3, "BlockDeviceMapping.1.DeviceName"), "");
}

TEST_F(Ec2CloudTest, AnImageThatCannotBeDescribedRefusesTheLaunch) {
  const auto refused = [&](const ports::HttpReply& answer) {
    http_.then(answer);
    const auto result = cloud().run_instances(with_disk(launch(), "ami-7"));
    EXPECT_THAT(result.ok() ? "" : result.error().message, HasSubstr("the image ami-7 "));
    return detail_of(result);
  };
  EXPECT_EQ(refused(ec2_error(400, "InvalidAMIID.NotFound")), "config/InvalidAMIID.NotFound");
  // Without the permission other pools, whose launches need no description, go on.
  EXPECT_EQ(refused(ec2_error(403, "UnauthorizedOperation")), "config/UnauthorizedOperation");
  EXPECT_EQ(refused(described("ami-8", "<rootDeviceName>/dev/sda1</rootDeviceName>")),
            "config/InvalidAMIID.NotFound");
  EXPECT_EQ(refused(reply(200, "<DescribeImagesResponse><imagesSet/></DescribeImagesResponse>")),
            "config/InvalidAMIID.NotFound");
  EXPECT_EQ(refused(described("ami-7", "")), "config/NoRootVolume");
  EXPECT_EQ(refused(described("ami-7",
                              "<rootDeviceName>/dev/sda1</rootDeviceName>"
                              "<rootDeviceType>instance-store</rootDeviceType>")),
            "config/NoRootVolume");
  for (std::size_t n = 0; n < http_.requests.size(); ++n) {
    EXPECT_EQ(parameter(n, "Action"), "DescribeImages");
  }
  // What failed is not kept.
  http_.then(described("ami-7", "<rootDeviceName>/dev/sdb</rootDeviceName>"));
  http_.then(launched({"i-1"}));
  EXPECT_TRUE(cloud().run_instances(with_disk(launch(), "ami-7")).ok());
}

TEST_F(Ec2CloudTest, TheRegionsOwnEndpointIsTheDefault) {
  options_.endpoint.clear();
  http_.then(page({}));
  EXPECT_TRUE(cloud().list_by_tag("k", "v").ok());
  EXPECT_EQ(http_.requests.at(0).url, "https://ec2.us-east-1.amazonaws.com/");
  EXPECT_EQ(sent_header(0, "host"), "ec2.us-east-1.amazonaws.com");
}

TEST_F(Ec2CloudTest, LaunchesThatCannotBeAreRefusedWithoutACall) {
  const auto refused = [&](auto change) {
    auto request = launch();
    change(request);
    return detail_of(cloud().run_instances(request));
  };
  EXPECT_THAT(refused([](auto& r) { r.client_token = ""; }), StartsWith("config/"));
  EXPECT_THAT(refused([](auto& r) { r.client_token = std::string(65, 'a'); }), StartsWith("config/"));
  EXPECT_THAT(refused([](auto& r) { r.client_token = "\xc3\xa9"; }), StartsWith("config/"));
  EXPECT_THAT(refused([](auto& r) { r.count = 0; }), StartsWith("config/"));
  EXPECT_THAT(refused([](auto& r) { r.image = ""; }), StartsWith("config/"));
  EXPECT_THAT(refused([](auto& r) { r.instance_type = ""; }), StartsWith("config/"));
  EXPECT_THAT(refused([](auto& r) { r.user_data.assign(limits::kUserDataBytes + 1, 'x'); }),
              StartsWith("config/"));
  EXPECT_TRUE(http_.requests.empty());
  http_.then(launched({"i-1"}));
  EXPECT_EQ(refused([](auto& r) { r.user_data.assign(limits::kUserDataBytes, 'x'); }), "ok");
}

TEST_F(Ec2CloudTest, ADryRunIsAskedForAndTakenForNothingElse) {
  http_.then(ec2_error(412, "DryRunOperation"));
  http_.then(ec2_error(403, "UnauthorizedOperation"));
  http_.then(ec2_error(412, "DryRunOperation"));
  http_.then(launched({"i-1"}));
  EXPECT_TRUE(cloud().try_run_instances(launch()).ok());
  const auto refused = cloud().try_run_instances(launch());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().error_class, core::CloudErrorClass::permission);
  EXPECT_TRUE(cloud().try_terminate("i-0a").ok());
  EXPECT_FALSE(cloud().try_run_instances(launch()).ok());  // an endpoint that knows no dry runs
  for (const auto& request : http_.requests)
    EXPECT_TRUE(request.body.ends_with("&DryRun=true")) << request.body;
}

TEST_F(Ec2CloudTest, AListingTakesAllPages) {
  http_.then(page({"i-1", "i-2"}, "<nextToken>t1==</nextToken>"));
  http_.then(page({}, "<nextToken>t2</nextToken>"));  // a page may be empty and not the last
  http_.then(page({"i-3"}, "<nextToken/>"));
  EXPECT_THAT(ids_of(cloud().list_by_tag("drover:deployment", "uuid")), ElementsAre("i-1", "i-2", "i-3"));
  ASSERT_EQ(http_.requests.size(), 3U);
  EXPECT_EQ(parameter(0, "Filter.1.Name"), "tag:drover:deployment");
  EXPECT_EQ(parameter(0, "Filter.1.Value.1"), "uuid");
  EXPECT_EQ(parameter(0, "MaxResults"), "1000");
  EXPECT_EQ(parameter(0, "NextToken"), "");
  EXPECT_EQ(parameter(1, "NextToken"), "t1==");
  EXPECT_EQ(parameter(1, "Filter.1.Value.1"), "uuid");
  EXPECT_EQ(parameter(2, "NextToken"), "t2");
}

TEST_F(Ec2CloudTest, AListingWithAFailingPageIsNoListing) {
  http_.then(page({"i-1"}, "<nextToken>t</nextToken>"));
  http_.then(ec2_error(403, "UnauthorizedOperation"));
  EXPECT_EQ(detail_of(cloud().list_by_tag("k", "v")), "permission/UnauthorizedOperation");
}

TEST_F(Ec2CloudTest, APageThatCannotBeReadIsAskedForAgainAndThenFailsTheListing) {
  http_.then(page({"i-1"}, "<nextToken>t</nextToken>"));
  http_.then(reply(200, "<html>proxy</html>"));
  http_.then(page({"i-2"}));
  EXPECT_THAT(ids_of(cloud().list_by_tag("k", "v")), ElementsAre("i-1", "i-2"));
  EXPECT_EQ(parameter(2, "NextToken"), "t");

  http_.then(page({"i-1"}, "<nextToken>t</nextToken>"));
  for (int i = 0; i < 3; ++i) http_.then(reply(200, ""));
  EXPECT_EQ(detail_of(cloud().list_by_tag("k", "v")), "transient/InvalidReply");
  EXPECT_EQ(http_.left(), 0U);
}

TEST_F(Ec2CloudTest, ABadPageTokenStartsTheListingAgain) {
  http_.then(page({"i-old"}, "<nextToken>t</nextToken>"));
  http_.then(ec2_error(400, "InvalidPaginationToken"));
  http_.then(page({"i-1"}));
  EXPECT_THAT(ids_of(cloud().list_by_tag("k", "v")), ElementsAre("i-1"));
  EXPECT_EQ(parameter(2, "NextToken"), "");
}

TEST_F(Ec2CloudTest, AListingThatDoesNotEndIsAnError) {
  http_.otherwise([](const auto&) { return page({"i-1"}, "<nextToken>same</nextToken>"); });
  EXPECT_EQ(detail_of(cloud().list_by_tag("k", "v")), "paging/EndlessListing");
  EXPECT_LT(http_.requests.size(), 10U);
}

TEST_F(Ec2CloudTest, AnInstanceOnTwoPagesIsOne) {
  http_.then(page({"i-1", "i-2"}, "<nextToken>t</nextToken>"));
  http_.then(page({"i-2", "i-3"}));
  EXPECT_THAT(ids_of(cloud().list_by_tag("k", "v")), ElementsAre("i-1", "i-2", "i-3"));
}

TEST_F(Ec2CloudTest, AListingWithoutATagIsNotSent) {
  EXPECT_FALSE(cloud().list_by_tag("", "v").ok());
  EXPECT_FALSE(cloud().list_by_tag("k", "").ok());
  EXPECT_TRUE(http_.requests.empty());
}

TEST_F(Ec2CloudTest, IdsAreAskedForByFilterInBatchesAndWithoutWildcards) {
  EXPECT_THAT(ids_of(cloud().list_by_id({})), ElementsAre());
  const std::vector<std::string> odd{"i-*", "", "worker-1", "i-1-2"};
  EXPECT_THAT(ids_of(cloud().list_by_id(odd)), ElementsAre());
  EXPECT_TRUE(http_.requests.empty());

  std::vector<std::string> ids{"i-*"};
  for (int i = 0; i < 401; ++i) ids.push_back("i-" + std::to_string(i));
  http_.then(page({"i-5"}));
  http_.then(page({}));
  http_.then(page({"i-400"}));
  EXPECT_THAT(ids_of(cloud().list_by_id(ids)), ElementsAre("i-5", "i-400"));
  EXPECT_EQ(parameter(0, "Filter.1.Name"), "instance-id");
  EXPECT_EQ(parameters(0, "Filter.1.Value.").size(), 200U);
  EXPECT_EQ(parameters(1, "Filter.1.Value.").size(), 200U);
  EXPECT_THAT(parameters(2, "Filter.1.Value."), ElementsAre("i-400"));
}

TEST_F(Ec2CloudTest, AThrottleIsTriedAgainSlowlyWithTheSameTokenAndANewSignature) {
  http_.then(ec2_error(503, "RequestLimitExceeded"));
  http_.then(ec2_error(503, "RequestLimitExceeded"));
  http_.then(launched({"i-1"}));
  EXPECT_EQ(detail_of(cloud().run_instances(launch())), "ok");
  ASSERT_EQ(http_.requests.size(), 3U);
  EXPECT_THAT(sleeps_, ElementsAre(Millis(1000), Millis(2000)));  // half of 2 s and 4 s
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(parameter(i, "ClientToken"), "drover-7-1");
  EXPECT_EQ(http_.requests[0].body, http_.requests[2].body);
  EXPECT_EQ(sent_header(0, "x-amz-date"), "20260102T030405Z");
  EXPECT_EQ(sent_header(1, "x-amz-date"), "20260102T030406Z");
  EXPECT_NE(sent_header(0, "authorization"), sent_header(1, "authorization"));
}

TEST_F(Ec2CloudTest, PassingFailuresAreTriedThriceAndThenGivenUp) {
  http_.then(Error{Errc::timeout, "slow"});
  http_.then(ec2_error(500, "InternalError"));
  http_.then(reply(502, "<html>Bad Gateway</html>"));
  EXPECT_EQ(detail_of(cloud().run_instances(launch())), "transient/Http502");
  EXPECT_EQ(http_.requests.size(), 3U);
  EXPECT_THAT(sleeps_, ElementsAre(Millis(200), Millis(400)));
}

TEST_F(Ec2CloudTest, EveryKindOfSilenceHasItsCode) {
  options_.tries = 1;
  http_.then(Error{Errc::timeout, "slow"});
  http_.then(Error{Errc::unavailable, "refused"});
  http_.then(Error{Errc::too_large, "big"});
  http_.then(reply(400, ""));
  http_.then(reply(301, "<html/>"));
  EXPECT_EQ(detail_of(cloud().run_instances(launch())), "transient/Timeout");
  EXPECT_EQ(detail_of(cloud().run_instances(launch())), "transient/NoAnswer");
  EXPECT_EQ(detail_of(cloud().run_instances(launch())), "unknown/ReplyTooLarge");
  EXPECT_EQ(detail_of(cloud().run_instances(launch())), "unknown/Http400");
  EXPECT_EQ(detail_of(cloud().run_instances(launch())), "unknown/Http301");
}

TEST_F(Ec2CloudTest, TheWaitIsRandomAndTheServersWishIsKeptWithinABound) {
  uniform_ = 0;
  http_.then(ec2_error(503, "Throttling"));
  http_.then(ec2_error(503, "Throttling", "m", {{"x-amz-retry-after", "1500"}}));
  http_.then(launched({"i-1"}));
  EXPECT_TRUE(cloud().run_instances(launch()).ok());
  EXPECT_THAT(sleeps_, ElementsAre(Millis(0), Millis(1500)));
  sleeps_.clear();
  http_.then(ec2_error(503, "Throttling", "m", {{"x-amz-retry-after", "99999999999"}}));
  http_.then(ec2_error(503, "Throttling", "m", {{"x-amz-retry-after", "-5"}}));
  http_.then(launched({"i-1"}));
  EXPECT_TRUE(cloud().run_instances(launch()).ok());
  EXPECT_THAT(sleeps_, ElementsAre(Millis(20'000), Millis(0)));
}

TEST_F(Ec2CloudTest, WhatRepeatingCannotHealIsAnsweredAtOnce) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {"InsufficientInstanceCapacity", "pool/InsufficientInstanceCapacity"},
      {"InsufficientFreeAddressesInSubnet", "subnet/InsufficientFreeAddressesInSubnet"},
      {"MaxSpotInstanceCountExceeded", "account/MaxSpotInstanceCountExceeded"},
      {"UnauthorizedOperation", "permission/UnauthorizedOperation"},
      {"InvalidAMIID.NotFound", "config/InvalidAMIID.NotFound"},
      {"IdempotentParameterMismatch", "idempotency/IdempotentParameterMismatch"},
      {"BrandNewCode", "unknown/BrandNewCode"},
  };
  for (const auto& [code, detail] : cases) {
    http_.requests.clear();
    http_.then(ec2_error(400, code, "the reason"));
    const auto result = cloud().run_instances(launch());
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(detail_of(result), detail);
    EXPECT_EQ(result.error().message, "the reason");
    EXPECT_EQ(http_.requests.size(), 1U) << code;
  }
  http_.requests.clear();
  http_.then(ec2_error(500, "InsufficientInstanceCapacity"));  // status 500, and yet no server error
  EXPECT_EQ(detail_of(cloud().run_instances(launch())), "pool/InsufficientInstanceCapacity");
  EXPECT_EQ(http_.requests.size(), 1U);
}

TEST_F(Ec2CloudTest, ALaunchThatNamesNoInstanceIsAskedAgain) {
  http_.then(launched({}));
  http_.then(launched({"i-1"}));
  EXPECT_THAT(ids_of(cloud().run_instances(launch())), ElementsAre("i-1"));
  EXPECT_EQ(parameter(1, "ClientToken"), "drover-7-1");
}

TEST_F(Ec2CloudTest, RefusedCredentialsAreFetchedAnewOnceAndTheClockIsCorrected) {
  http_.then(ec2_error(400, "RequestExpired", "m", {{"date", "Fri, 02 Jan 2026 04:04:05 GMT"}}));
  http_.then(page({"i-1"}));
  http_.then(page({"i-2"}));
  EXPECT_THAT(ids_of(cloud().list_by_tag("k", "v")), ElementsAre("i-1"));
  EXPECT_EQ(credentials_.refreshed, 1);
  EXPECT_THAT(sent_header(0, "authorization"), HasSubstr("Credential=KEY0/"));
  EXPECT_THAT(sent_header(1, "authorization"), HasSubstr("Credential=KEY1/"));
  EXPECT_EQ(sent_header(0, "x-amz-date"), "20260102T030405Z");
  EXPECT_EQ(sent_header(1, "x-amz-date"), "20260102T040405Z");
  EXPECT_TRUE(sleeps_.empty());

  EXPECT_TRUE(cloud().list_by_tag("k", "v").ok());  // the offset stays
  EXPECT_EQ(sent_header(2, "x-amz-date"), "20260102T040405Z");
  clock_.set_wall(test::golden_time() + std::chrono::hours(1));  // until the clock is set right
  http_.then(ec2_error(403, "SignatureDoesNotMatch", "m", {{"date", "Fri, 02 Jan 2026 04:04:06 GMT"}}));
  http_.then(page({}));
  EXPECT_TRUE(cloud().list_by_tag("k", "v").ok());
  EXPECT_EQ(sent_header(4, "x-amz-date"), "20260102T040406Z");
}

TEST_F(Ec2CloudTest, ASmallDifferenceOrNoDateMovesNoClock) {
  for (const Headers& headers :
       {Headers{{"date", "Fri, 02 Jan 2026 03:04:25 GMT"}}, Headers{{"date", "soon"}}, Headers{}}) {
    http_.requests.clear();
    http_.then(ec2_error(401, "AuthFailure", "m", headers));
    http_.then(page({}));
    EXPECT_TRUE(cloud().list_by_tag("k", "v").ok());
    EXPECT_EQ(sent_header(1, "x-amz-date"), "20260102T030405Z");
  }
  EXPECT_EQ(credentials_.refreshed, 3);
}

TEST_F(Ec2CloudTest, CredentialsRefusedTwiceAreAnError) {
  http_.then(ec2_error(401, "AuthFailure"));
  http_.then(ec2_error(401, "AuthFailure"));
  EXPECT_EQ(detail_of(cloud().run_instances(launch())), "credentials/AuthFailure");
  EXPECT_EQ(http_.requests.size(), 2U);
  EXPECT_EQ(credentials_.refreshed, 1);
}

TEST_F(Ec2CloudTest, WithoutCredentialsNothingIsSent) {
  credentials_.broken = true;
  const auto result = cloud().list_by_tag("k", "v");
  EXPECT_EQ(detail_of(result), "credentials/NoCredentials");
  EXPECT_EQ(result.error().message, "no credentials anywhere");
  EXPECT_TRUE(http_.requests.empty());
}

TEST_F(Ec2CloudTest, LaunchesKeepToOurShareOfTheRate) {
  options_.rate_share = 0.5;  // 2.5 launches at once, one a second after that
  http_.otherwise([](const auto&) { return launched({"i-1"}); });
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(cloud().run_instances(launch()).ok());
  EXPECT_THAT(sleeps_, ElementsAre(Millis(500), Millis(1000)));
}

std::vector<std::string> some_ids(int count) {
  std::vector<std::string> ids;
  for (int i = 0; i < count; ++i) ids.push_back("i-" + std::to_string(i));
  return ids;
}

TEST_F(Ec2CloudTest, AWaitOfMinutesForInstancesIsAThrottleOfOurOwn) {
  options_.rate_share = 0.5;  // 500 instances at once, one a second after that
  http_.then(launched(some_ids(500)));
  http_.otherwise([](const auto&) { return launched({"i-1"}); });
  EXPECT_TRUE(cloud().run_instances(launch(500)).ok());
  const auto second = cloud().run_instances(launch(100));
  EXPECT_EQ(detail_of(second), "throttle/LocalRate");
  EXPECT_EQ(http_.requests.size(), 1U);
  EXPECT_TRUE(cloud().run_instances(launch(5)).ok());
  EXPECT_THAT(sleeps_, ElementsAre(Millis(5000)));
}

// By the share of instances: that of calls is a bucket of its own.
TEST_F(Ec2CloudTest, InstancesThatDidNotComeAreNotCounted) {
  options_.rate_share = 0.5;
  const std::vector<ports::HttpReply> answers{launched({"i-1"}),
                                              ec2_error(500, "InsufficientInstanceCapacity"),
                                              ec2_error(400, "InvalidParameterValue"), ec2_error(403, "")};
  for (const auto& answer : answers) {
    for (int i = 0; i < 30; ++i) {
      clock_.advance(Seconds{2});
      http_.then(answer);
      EXPECT_NE(detail_of(cloud().run_instances(launch(60))), "throttle/LocalRate")
          << i << ' ' << answer.body;
    }
  }
}

TEST_F(Ec2CloudTest, InstancesThatMayHaveComeAreCounted) {
  options_.rate_share = 0.5;
  options_.tries = 1;
  for (int i = 0; i < 2; ++i) http_.then(ec2_error(503, "ServiceUnavailable"));
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(detail_of(cloud().run_instances(launch(250))), "transient/ServiceUnavailable");
  EXPECT_EQ(detail_of(cloud().run_instances(launch(100))), "throttle/LocalRate");
}

TEST_F(Ec2CloudTest, AThrottleEmptiesOurBucketToo) {
  options_.rate_share = 0.5;
  uniform_ = 0;
  http_.then(ec2_error(503, "RequestLimitExceeded"));
  http_.otherwise([](const auto&) { return page({}); });
  EXPECT_TRUE(cloud().list_by_tag("k", "v").ok());
  EXPECT_THAT(sleeps_, ElementsAre(Millis(0), Millis(100)));  // ten listings a second
}

}  // namespace
}  // namespace drover::aws
