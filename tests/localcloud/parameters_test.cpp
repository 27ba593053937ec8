#include "drover/base/text.hpp"

#include "cloud_fixture.hpp"

namespace drover::localcloud {
namespace {

class ParametersTest : public CloudTest {
 protected:
  void SetUp() override {
    CloudTest::SetUp();
    start();
  }
  // What a launch with these changes of a sound one answers; an empty value takes the parameter away.
  std::string with(const Form& changes) {
    Form form{{"ImageId", "ami-1"}, {"MinCount", "1"}, {"MaxCount", "1"}, {"DryRun", "true"}};
    for (const auto& [name, value] : changes) {
      std::erase_if(form, [&](const auto& item) { return item.first == name; });
      if (!value.empty()) form.emplace_back(name, value);
    }
    return error("RunInstances", form);
  }
  std::string with_tags(const std::string& resource, const std::string& key, const std::string& value,
                        Form more = {}) {
    more.insert(more.end(), {{"TagSpecification.1.ResourceType", resource},
                             {"TagSpecification.1.Tag.1.Key", key},
                             {"TagSpecification.1.Tag.1.Value", value}});
    return with(more);
  }
};

constexpr const char* kTaken = "412 DryRunOperation";
constexpr const char* kUnknown = "400 UnknownParameter";
constexpr const char* kBad = "400 InvalidParameterValue";
constexpr const char* kMissing = "400 MissingParameter";

TEST_F(ParametersTest, RefusesMisspeltNamesOfALaunch) {
  for (const auto* name : {"ImageID",
                           "imageId",
                           "Instancetype",
                           "SubnetIds",
                           "SecurityGroupIds.1",
                           "SecurityGroupId",
                           "SecurityGroupId.member.1",
                           "SecurityGroupId.0",
                           "SecurityGroupId.01",
                           "SecurityGroupId.x",
                           "SecurityGroupId.1.Id",
                           "SecurityGroupId.",
                           "BlockDeviceMappings.1.DeviceName",
                           "BlockDeviceMapping.1.Ebs.Size",
                           "BlockDeviceMapping.1.Ebs",
                           "BlockDeviceMapping.DeviceName",
                           "MetadataOptions",
                           "MetadataOptions.HttpToken",
                           "MetadataOptions.HttpTokens.1",
                           "TagSpecifications.1.ResourceType",
                           "TagSpecification.1.Tags.1.Key",
                           "TagSpecification.1.Tag.1.key",
                           "InstanceMarketOptions.SpotOption.MaxPrice",
                           "IamInstanceProfile",
                           "Placement.Zone",
                           "Userdata",
                           "NetworkInterface.1.Groups.1",
                           "Filter.1.Name",
                           "InstanceId.1",
                           "Monitoring",
                           "X"}) {
    EXPECT_EQ(with({{name, "1"}}), kUnknown) << name;
  }
}

TEST_F(ParametersTest, RefusesMisspeltNamesOfEveryOtherCall) {
  for (const auto* action :
       {"DescribeInstances", "DescribeInstanceStatus", "DescribeSpotInstanceRequests", "DescribeTags",
        "DescribeAvailabilityZones", "DescribeRegions", "DescribeSubnets", "DescribeInstanceTypes",
        "DescribeInstanceTypeOfferings", "DescribeImages", "TerminateInstances", "CreateTags", "DeleteTags",
        "GetConsoleOutput"}) {
    EXPECT_EQ(error(action, {{"Colour", "red"}}), kUnknown) << action;
    EXPECT_EQ(error(action, {{"InstanceIds.1", "i-0"}}), kUnknown) << action;
    EXPECT_EQ(error(action, {{"DryRun", "maybe"}}), kBad) << action;
  }
  EXPECT_EQ(error("DescribeRegions", {{"MaxResults", "5"}}), kUnknown);
  EXPECT_EQ(error("DescribeRegions", {{"NextToken", "x"}}), kUnknown);
  EXPECT_EQ(error("TerminateInstances", {{"Filter.1.Name", "instance-id"}}), kUnknown);
}

TEST_F(ParametersTest, TakesTheParametersThatEc2Has) {
  EXPECT_EQ(with({{"SecurityGroupId.1", "sg-1"},
                  {"SecurityGroupId.12", "sg-2"},
                  {"Monitoring.Enabled", "true"},
                  {"EbsOptimized", "false"},
                  {"IamInstanceProfile.Arn", "arn:aws:iam::123456789012:instance-profile/worker"},
                  {"MetadataOptions.HttpTokens", "required"},
                  {"MetadataOptions.HttpEndpoint", "enabled"},
                  {"MetadataOptions.HttpPutResponseHopLimit", "64"},
                  {"BlockDeviceMapping.1.DeviceName", "/dev/xvda"},
                  {"BlockDeviceMapping.1.Ebs.VolumeSize", "30"},
                  {"BlockDeviceMapping.1.Ebs.VolumeType", "gp3"},
                  {"InstanceMarketOptions.MarketType", "spot"},
                  {"InstanceMarketOptions.SpotOptions.ValidUntil", "2026-01-02T03:04:05Z"}}),
            kTaken);
  EXPECT_EQ(with({{"NetworkInterface.1.DeviceIndex", "0"},
                  {"NetworkInterface.1.SubnetId", "subnet-0a"},
                  {"NetworkInterface.1.SecurityGroupId.1", "sg-1"},
                  {"NetworkInterface.1.AssociatePublicIpAddress", "true"}}),
            kTaken);
}

TEST_F(ParametersTest, RefusesValuesThatAreNone) {
  EXPECT_EQ(with({{"MetadataOptions.HttpTokens", "maybe"}}), kBad);
  EXPECT_EQ(with({{"MetadataOptions.HttpTokens", "Required"}}), kBad);
  EXPECT_EQ(with({{"MetadataOptions.HttpEndpoint", "on"}}), kBad);
  EXPECT_EQ(with({{"MetadataOptions.HttpPutResponseHopLimit", "0"}}), kBad);
  EXPECT_EQ(with({{"MetadataOptions.HttpPutResponseHopLimit", "65"}}), kBad);
  EXPECT_EQ(with({{"MetadataOptions.InstanceMetadataTags", "true"}}), kBad);
  EXPECT_EQ(with({{"EbsOptimized", "yes"}}), kBad);
  EXPECT_EQ(with({{"DryRun", "True"}}), kBad);
  EXPECT_EQ(with({{"Placement.Tenancy", "shared"}}), kBad);
  EXPECT_EQ(with({{"InstanceInitiatedShutdownBehavior", "hibernate"}}), kBad);
  EXPECT_EQ(with({{"InstanceMarketOptions.MarketType", "Spot"}}), kBad);
  EXPECT_EQ(with({{"InstanceMarketOptions.SpotOptions.SpotInstanceType", "once"}}), kBad);
  EXPECT_EQ(with({{"InstanceMarketOptions.SpotOptions.ValidUntil", "tomorrow"}}), kBad);
  EXPECT_EQ(with({{"BlockDeviceMapping.1.DeviceName", "/dev/xvda"},
                  {"BlockDeviceMapping.1.Ebs.VolumeType", "gp4"}}),
            kBad);
  EXPECT_EQ(
      with({{"BlockDeviceMapping.1.DeviceName", "/dev/xvda"}, {"BlockDeviceMapping.1.Ebs.VolumeSize", "0"}}),
      kBad);
  EXPECT_EQ(with({{"BlockDeviceMapping.1.Ebs.VolumeSize", "8"}}), kMissing);
  EXPECT_EQ(with({{"IamInstanceProfile.Arn", "worker"}}), kBad);
  EXPECT_EQ(with({{"IamInstanceProfile.Name", "a worker"}}), kBad);
  EXPECT_EQ(with({{"SecurityGroupId.1", "default"}}), "400 InvalidGroupId.Malformed");
  EXPECT_EQ(with({{"NetworkInterface.1.SubnetId", "subnet-0a"}}), kMissing);
  const auto message = value_of(call("RunInstances", {{"ImageId", "ami-1"},
                                                      {"MinCount", "1"},
                                                      {"MaxCount", "1"},
                                                      {"MetadataOptions.HttpTokens", "maybe"}})
                                    .body,
                                "Message");
  EXPECT_EQ(message,
            "Value (maybe) for parameter MetadataOptions.HttpTokens is invalid. Expecting one of: optional, "
            "required.");
}

TEST_F(ParametersTest, KnowsNoLaunchTemplate) {
  EXPECT_EQ(with({{"LaunchTemplate.LaunchTemplateId", "lt-0123456789abcdef0"}}),
            "400 InvalidLaunchTemplateId.NotFound");
  EXPECT_EQ(with({{"LaunchTemplate.LaunchTemplateId", "template"}}), "400 InvalidLaunchTemplateId.Malformed");
  EXPECT_EQ(with({{"LaunchTemplate.LaunchTemplateName", "workers"}, {"LaunchTemplate.Version", "$Latest"}}),
            "400 InvalidLaunchTemplateName.NotFoundException");
  EXPECT_EQ(with({{"LaunchTemplate.LaunchTemplateName", "workers"}, {"ImageId", ""}}),
            "400 InvalidLaunchTemplateName.NotFoundException");
  EXPECT_EQ(with({{"LaunchTemplate.Version", "1"}}), kMissing);
  EXPECT_EQ(with({{"LaunchTemplate.LaunchTemplateName", "w"}, {"LaunchTemplate.LaunchTemplateId", "lt-0"}}),
            "400 InvalidParameterCombination");
}

TEST_F(ParametersTest, ChecksTags) {
  EXPECT_EQ(with_tags("instance", "k", "v"), kTaken);
  EXPECT_EQ(with_tags("instances", "k", "v"), kBad);
  EXPECT_EQ(with_tags("instance", "aws:k", "v"), kBad);
  EXPECT_EQ(with_tags("volume", "AWS:k", "v"), kBad);
  EXPECT_EQ(with_tags("volume", std::string(128, 'k'), std::string(256, 'v')), kTaken);
  EXPECT_EQ(with_tags("volume", std::string(129, 'k'), "v"), kBad);
  EXPECT_EQ(with_tags("network-interface", "k", std::string(257, 'v')), kBad);
  // Characters count, not bytes.
  std::string umlauts;
  for (int i = 0; i < 128; ++i) umlauts += "\u00e4";
  EXPECT_EQ(with_tags("instance", umlauts, "v"), kTaken);
  EXPECT_EQ(with_tags("spot-instances-request", "k", "v"), "400 InvalidParameterCombination");
  EXPECT_EQ(with_tags("spot-instances-request", "k", "v", {{"InstanceMarketOptions.MarketType", "spot"}}),
            kTaken);
  EXPECT_EQ(with_tags("instance", "k", "v", {{"TagSpecification.2.ResourceType", "instance"}}), kBad);
  const auto id = run_one(kIdle);
  EXPECT_EQ(error("CreateTags", {{"ResourceId.1", id}, {"Tag.1.Key", "aws:x"}, {"Tag.1.Value", "v"}}), kBad);
  EXPECT_EQ(error("CreateTags", {{"ResourceId.1", id}}), kMissing);
  EXPECT_EQ(error("DeleteTags"), kMissing);
}

TEST_F(ParametersTest, TagsInMetadataHaveKeysThatFitThere) {
  const Form shown{{"MetadataOptions.InstanceMetadataTags", "enabled"}};
  EXPECT_EQ(with_tags("instance", "drover:pool", "v", shown), kTaken);
  EXPECT_EQ(with_tags("instance", "a/b", "v", shown), kBad);
  EXPECT_EQ(with_tags("instance", "a b", "v", shown), kBad);
  EXPECT_EQ(with_tags("instance", "_index", "v", shown), kBad);
  EXPECT_EQ(with_tags("instance", "a/b", "v"), kTaken);
  EXPECT_EQ(with_tags("volume", "a/b", "v", shown), kTaken);
}

TEST_F(ParametersTest, ImagesDifferInTheirRootDevice) {
  const auto root_of = [&](const std::string& image) {
    return value_of(ok("DescribeImages", {{"ImageId.1", image}}), "rootDeviceName");
  };
  EXPECT_EQ(root_of("ami-1"), "/dev/xvda");
  EXPECT_EQ(root_of("ami-sda1-7"), "/dev/sda1");
  EXPECT_EQ(error("DescribeImages", {{"ImageId.1", "ami-missing"}}), "400 InvalidAMIID.NotFound");
  EXPECT_EQ(error("DescribeImages", {{"ImageId.1", "image"}}), "400 InvalidAMIID.Malformed");
  EXPECT_EQ(with({{"ImageId", "ami-missing-7"}}), "400 InvalidAMIID.NotFound");
  // A size for another device makes a second volume.
  const auto devices = [&](const std::string& image) {
    const auto id = run_one(kIdle, {{"ImageId", image},
                                    {"BlockDeviceMapping.1.DeviceName", "/dev/xvda"},
                                    {"BlockDeviceMapping.1.Ebs.VolumeSize", "30"}});
    return values_of(ok("DescribeInstances", {{"InstanceId.1", id}}), "deviceName");
  };
  EXPECT_EQ(devices("ami-1"), (std::vector<std::string>{"/dev/xvda"}));
  EXPECT_EQ(devices("ami-sda1"), (std::vector<std::string>{"/dev/sda1", "/dev/xvda"}));
  const Form disk{{"BlockDeviceMapping.1.DeviceName", "/dev/xvda"}};
  const auto with_disk = [&](Form more) {
    more.insert(more.end(), disk.begin(), disk.end());
    return with(more);
  };
  EXPECT_EQ(with_disk({{"BlockDeviceMapping.1.Ebs.VolumeSize", "7"}}), "400 InvalidBlockDeviceMapping");
  EXPECT_EQ(with_disk({{"BlockDeviceMapping.2.DeviceName", "/dev/xvda"}}), "400 InvalidBlockDeviceMapping");
  EXPECT_EQ(with_disk({{"BlockDeviceMapping.2.DeviceName", "/dev/sdb"}}), kMissing);
}

TEST_F(ParametersTest, TagsAreOnAllThatALaunchMakes) {
  Form form{{"InstanceMarketOptions.MarketType", "spot"}};
  int number = 0;
  for (const std::string resource : {"instance", "volume", "network-interface", "spot-instances-request"}) {
    const auto prefix = "TagSpecification." + std::to_string(++number);
    form.emplace_back(prefix + ".ResourceType", resource);
    form.emplace_back(prefix + ".Tag.1.Key", "of");
    form.emplace_back(prefix + ".Tag.1.Value", resource);
  }
  const auto id = run_one(kIdle, form);
  const auto xml = ok("DescribeTags", {{"Filter.1.Name", "key"}, {"Filter.1.Value.1", "of"}});
  EXPECT_EQ(values_of(xml, "value"),
            (std::vector<std::string>{"instance", "spot-instances-request", "network-interface", "volume"}));
  EXPECT_EQ(values_of(xml, "resourceType"), values_of(xml, "value"));
  const auto ids = values_of(xml, "resourceId");
  EXPECT_EQ(ids.at(0), id);
  EXPECT_TRUE(ids.at(3).starts_with("vol-"));
  const auto request =
      ok("DescribeSpotInstanceRequests", {{"Filter.1.Name", "tag:of"}, {"Filter.1.Value.1", "spot-*"}});
  EXPECT_EQ(value_of(request, "spotInstanceRequestId"), ids.at(1));
}

TEST_F(ParametersTest, RefusesFiltersThatNothingHas) {
  const Form filter{{"Filter.1.Name", "colour"}, {"Filter.1.Value.1", "red"}};
  for (const auto* action :
       {"DescribeInstances", "DescribeInstanceStatus", "DescribeSpotInstanceRequests", "DescribeTags",
        "DescribeAvailabilityZones", "DescribeRegions", "DescribeSubnets", "DescribeInstanceTypes",
        "DescribeInstanceTypeOfferings", "DescribeImages"}) {
    EXPECT_EQ(error(action, filter), kBad) << action;
    EXPECT_EQ(error(action, {{"Filter.1.Value.1", "red"}}), kMissing) << action;
  }
}

TEST_F(ParametersTest, RefusesNamesThatDoNotExist) {
  EXPECT_EQ(error("DescribeAvailabilityZones", {{"ZoneName.1", "mars-1a"}}), kBad);
  EXPECT_EQ(error("DescribeRegions", {{"RegionName.1", "mars-1"}}), kBad);
  EXPECT_EQ(error("DescribeSubnets", {{"SubnetId.1", "subnet-00z"}}), "400 InvalidSubnetID.NotFound");
  EXPECT_EQ(error("DescribeInstanceTypes", {{"InstanceType.1", "huge"}}), "400 InvalidInstanceType");
  EXPECT_EQ(error("DescribeInstanceTypeOfferings", {{"LocationType", "zone"}}), kBad);
  EXPECT_EQ(error("DescribeSpotInstanceRequests", {{"SpotInstanceRequestId.1", "sir-0"}}),
            "400 InvalidSpotInstanceRequestID.NotFound");
}

TEST_F(ParametersTest, RefusesARepeatedNameAndAnotherVersion) {
  const auto code = [&](const std::string& body) {
    const auto reply = send(body, {});
    return reply.ok() ? std::to_string(reply->status) + " " + value_of(reply->body, "Code") : "no answer";
  };
  EXPECT_EQ(code("Action=DescribeRegions&Version=2016-11-15&DryRun=false&DryRun=true"),
            "400 InvalidParameterCombination");
  EXPECT_EQ(code("Action=DescribeRegions&Version=2016-11-51"), "400 NoSuchVersion");
  EXPECT_EQ(code("Action=DescribeRegions"), kMissing);
  EXPECT_EQ(code("Action=GetCallerIdentity&Version=2011-06-15"), "200 ");
  EXPECT_EQ(code("Action=GetCallerIdentity&Version=2011-06-15&DryRun=true"), kUnknown);
}

TEST_F(ParametersTest, EveryListingHasPages) {
  std::vector<std::string> seen;
  std::string token;
  do {
    Form form{{"MaxResults", "5"}};
    if (!token.empty()) form.emplace_back("NextToken", token);
    const auto xml = ok("DescribeInstanceTypes", form);
    const auto page = values_of(xml, "instanceType");
    EXPECT_LE(page.size(), 5U);
    seen.insert(seen.end(), page.begin(), page.end());
    token = value_of(xml, "nextToken");
  } while (!token.empty() && seen.size() < 100);
  EXPECT_EQ(seen, values_of(ok("DescribeInstanceTypes"), "instanceType"));
  EXPECT_EQ(error("DescribeInstanceTypes", {{"MaxResults", "101"}}), kBad);
  EXPECT_EQ(error("DescribeTags", {{"NextToken", "bm8="}}), "400 InvalidNextToken");
}

}  // namespace
}  // namespace drover::localcloud
