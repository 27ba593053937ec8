#include "drover/aws/ec2_request.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drover/aws/sigv4.hpp"

#include "aws/fakes.hpp"
#include "aws/golden.hpp"

namespace drover::aws {
namespace {

using testing::HasSubstr;
using testing::Not;

core::LaunchRequest golden_launch() {
  core::LaunchRequest launch;
  launch.client_token = "spoold-1-1";
  launch.count = 3;
  launch.market = core::Market::spot;
  launch.image = "ami-0123456789abcdef0";
  launch.instance_type = "c7g.large";
  launch.subnet = "subnet-0a";
  launch.security_groups = {"sg-0a", "sg-0b"};
  launch.instance_profile = "worker";
  launch.max_price = "0.05";
  launch.user_data = "#!/bin/sh\necho hi";
  launch.disk_gib = 30;
  launch.tags = {{"spoold:cluster", "c1"}, {"Name", "w 1"}};
  return launch;
}

void expect_golden(const std::string& body, const golden::Request& golden,
                   const std::string& session_token = {}) {
  EXPECT_EQ(body, golden.body);
  EXPECT_EQ(to_hex(sha256(body)), golden.body_sha256);
  const Headers headers{{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
                        {"Host", "ec2.us-east-1.amazonaws.com"}};
  RequestParts parts;
  parts.headers = headers;
  parts.body = body;
  const auto added =
      sign(parts, test::golden_credentials(session_token), test::golden_time(), "us-east-1", "ec2");
  EXPECT_EQ(added.back().second, golden.authorization);
}

TEST(Ec2Request, RunInstancesIsTheGoldenRequest) {
  expect_golden(encode_run_instances(golden_launch(), "/dev/xvda"), golden::kRunInstances);
}

TEST(Ec2Request, DescribeImagesIsTheGoldenRequest) {
  expect_golden(encode_describe_image("ami-0123456789abcdef0"), golden::kDescribeImages);
}

TEST(Ec2Request, DescribeInstancesIsTheGoldenRequest) {
  DescribeInstancesQuery query;
  query.filters = {
      {"tag:spoold:cluster", {"c1"}},
      {"instance-state-name", {"pending", "running", "shutting-down", "stopping", "stopped", "terminated"}}};
  query.max_results = 1000;
  query.next_token = "abc==";
  expect_golden(encode_describe_instances(query), golden::kDescribeInstances);
}

TEST(Ec2Request, DescribeInstancesByIdIsTheGoldenRequest) {
  DescribeInstancesQuery query;
  query.instance_ids = {"i-1", "i-2"};
  expect_golden(encode_describe_instances(query), golden::kDescribeIds);
}

TEST(Ec2Request, DescribeInstancesWithASessionTokenIsTheGoldenRequest) {
  DescribeInstancesQuery query;
  query.instance_ids = {"i-1"};
  expect_golden(encode_describe_instances(query), golden::kDescribeWithToken, "EXAMPLETOKEN");
}

TEST(Ec2Request, TerminateInstancesIsTheGoldenRequest) {
  const std::vector<std::string> ids{"i-0123456789abcdef0", "i-0123456789abcdef1"};
  expect_golden(encode_terminate_instances(ids), golden::kTerminateInstances);
}

TEST(Ec2Request, AnOnDemandLaunchSaysNothingOfTheSpotMarket) {
  auto launch = golden_launch();
  launch.market = core::Market::on_demand;
  const auto body = encode_run_instances(launch, "/dev/sda1");
  EXPECT_THAT(body, Not(HasSubstr("InstanceMarketOptions")));
  EXPECT_THAT(body, Not(HasSubstr("spot-instances-request")));
  EXPECT_THAT(body, HasSubstr("ResourceType=network-interface"));
  EXPECT_THAT(body, HasSubstr("BlockDeviceMapping.1.DeviceName=%2Fdev%2Fsda1"));
}

TEST(Ec2Request, WhatIsNotSetIsNotSent) {
  core::LaunchRequest launch;
  launch.client_token = "t";
  launch.image = "ami-1";
  launch.instance_type = "t3.small";
  EXPECT_EQ(encode_run_instances(launch, "/dev/sda1"),
            "Action=RunInstances&Version=2016-11-15&ImageId=ami-1&InstanceType=t3.small&MinCount=1&MaxCount=1"
            "&ClientToken=t&InstanceInitiatedShutdownBehavior=terminate&InstanceMarketOptions.MarketType=spot"
            "&InstanceMarketOptions.SpotOptions.SpotInstanceType=one-time"
            "&InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior=terminate"
            "&MetadataOptions.HttpTokens=required&MetadataOptions.HttpPutResponseHopLimit=1"
            "&MetadataOptions.InstanceMetadataTags=enabled");
}

TEST(Ec2Request, TagsThatCannotStandInTheMetadataAreNotShownThere) {
  auto launch = golden_launch();
  for (const auto* key : {"a b", "kubernetes.io/cluster/x", "_index", "..", "gr\u00f6\u00dfe"}) {
    launch.tags = {{"Name", "w"}, {key, "v"}};
    EXPECT_THAT(encode_run_instances(launch, "/dev/sda1"), Not(HasSubstr("InstanceMetadataTags"))) << key;
  }
}

TEST(Ec2Request, AProfileMayBeAnArnAndAKeyIsNamed) {
  auto launch = golden_launch();
  launch.instance_profile = "arn:aws:iam::1:instance-profile/w";
  launch.key_name = "ops";
  const auto body = encode_run_instances(launch, "/dev/sda1");
  EXPECT_THAT(body, HasSubstr("&IamInstanceProfile.Arn=arn%3Aaws%3Aiam%3A%3A1%3Ainstance-profile%2Fw&"));
  EXPECT_THAT(body, HasSubstr("&KeyName=ops&"));
}

TEST(Ec2Request, BytesAreEncodedSoThatTheFormDecodesToThem) {
  const std::string odd = "a b+c%20&=/~*'\"\xc3\xa9";
  auto launch = golden_launch();
  launch.tags = {{"k", odd}};
  const auto body = encode_run_instances(launch, "/dev/sda1");
  const auto form = parse_form(body);
  ASSERT_TRUE(form);
  EXPECT_EQ(form->back(), (std::pair<std::string, std::string>("TagSpecification.4.Tag.1.Value", odd)));
  EXPECT_THAT(body, HasSubstr("a+b%2Bc%2520%26%3D%2F~%2A%27%22%C3%A9"));
}

TEST(Ec2Request, LiteralFilterValuesHoldNoWildcard) {
  EXPECT_EQ(literal_filter_value("a*b?c\\d"), "a\\*b\\?c\\\\d");
  EXPECT_EQ(literal_filter_value("0190-uuid"), "0190-uuid");
}

}  // namespace
}  // namespace drover::aws
