#include "drover/aws/ec2_xml.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drover/base/text.hpp"

namespace drover::aws {
namespace {

using core::InstanceState;
using testing::HasSubstr;

// Two reservations, three instances, in the words of the real service.
const std::string kDescribeReply = R"(<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>8f7724cf-496f-496e-8fe3-example</requestId>
  <reservationSet>
    <item>
      <reservationId>r-1</reservationId>
      <groupSet/>
      <instancesSet>
        <item>
          <instanceId>i-0aaa</instanceId>
          <imageId>ami-1</imageId>
          <instanceState><code>16</code><name>running</name></instanceState>
          <instanceType>c7g.large</instanceType>
          <launchTime>2026-01-02T03:04:05.000Z</launchTime>
          <placement><availabilityZone>us-east-1a</availabilityZone><tenancy>default</tenancy></placement>
          <privateIpAddress>10.0.0.5</privateIpAddress>
          <instanceLifecycle>spot</instanceLifecycle>
          <clientToken>drover-1-1</clientToken>
          <networkInterfaceSet><item>
            <privateIpAddress>10.9.9.9</privateIpAddress>
            <tagSet><item><key>inner</key><value>no</value></item></tagSet>
          </item></networkInterfaceSet>
          <tagSet>
            <item><key>drover:pool</key><value>a &amp; b &lt;c&gt; &#xe9;</value></item>
            <item><value><![CDATA[<raw>]]></value><key>odd</key></item>
            <item><key>empty</key><value/></item>
          </tagSet>
        </item>
        <item>
          <instanceId>i-0bbb</instanceId>
          <instanceState><code>272</code></instanceState>
        </item>
      </instancesSet>
    </item>
    <item>
      <instancesSet><item>
        <instanceId>i-0ccc</instanceId>
        <instanceState><code>48</code><name>terminated</name></instanceState>
        <stateReason><code>Server.SpotInstanceTermination</code>
        <message>Server.SpotInstanceTermination: gone</message></stateReason>
      </item></instancesSet>
    </item>
  </reservationSet>
  <nextToken>abc==</nextToken>
</DescribeInstancesResponse>)";

std::string describe(const std::string& inner) {
  return "<DescribeInstancesResponse><requestId>r</requestId>" + inner + "</DescribeInstancesResponse>";
}

std::string one_instance(const std::string& inner) {
  return describe("<reservationSet><item><instancesSet><item>" + inner +
                  "</item></instancesSet></item></reservationSet>");
}

TEST(Ec2Xml, ReadsEveryFieldOfAListing) {
  const auto page = parse_describe_instances(kDescribeReply);
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_EQ(page->next_token, "abc==");
  ASSERT_EQ(page->instances.size(), 3U);
  const auto& first = page->instances[0];
  EXPECT_EQ(first.id, "i-0aaa");
  EXPECT_EQ(first.state, InstanceState::running);
  EXPECT_EQ(first.type, "c7g.large");
  EXPECT_EQ(first.zone, "us-east-1a");
  EXPECT_EQ(first.private_ip, "10.0.0.5");
  EXPECT_EQ(first.client_token, "drover-1-1");
  EXPECT_TRUE(first.spot);
  EXPECT_EQ(first.launched_at, parse_rfc3339("2026-01-02T03:04:05Z"));
  EXPECT_EQ(first.state_reason, "");
  const std::vector<std::pair<std::string, std::string>> tags{
      {"drover:pool", "a & b <c> \xc3\xa9"}, {"odd", "<raw>"}, {"empty", ""}};
  EXPECT_EQ(first.tags, tags);

  const auto& second = page->instances[1];
  EXPECT_EQ(second.id, "i-0bbb");
  EXPECT_EQ(second.state, InstanceState::running);  // 272 = 0x110: the low byte counts
  EXPECT_FALSE(second.spot);
  EXPECT_TRUE(second.tags.empty());
  EXPECT_EQ(page->instances[2].state, InstanceState::terminated);
  EXPECT_EQ(page->instances[2].state_reason, "Server.SpotInstanceTermination");
}

TEST(Ec2Xml, TheReasonIsFoundInTheMessageToo) {
  const auto reason = [](const std::string& inner) {
    return parse_describe_instances(
               one_instance("<instanceId>i-1</instanceId><stateReason>" + inner + "</stateReason>"))
        ->instances.at(0)
        .state_reason;
  };
  EXPECT_EQ(reason("<message>Client.UserInitiatedShutdown: User initiated shutdown</message>"),
            "Client.UserInitiatedShutdown");
  EXPECT_EQ(reason("<message>Server.InternalError: x</message><code>Client.InternalError</code>"),
            "Client.InternalError");
  EXPECT_EQ(reason("<code>Server.ScheduledStop: text</code>"), "Server.ScheduledStop");
}

TEST(Ec2Xml, StatesAreNamedOrNumbered) {
  const auto state = [](const std::string& inner) {
    return parse_describe_instances(
               one_instance("<instanceId>i-1</instanceId><instanceState>" + inner + "</instanceState>"))
        ->instances.at(0)
        .state;
  };
  EXPECT_EQ(state("<name>shutting-down</name>"), InstanceState::shutting_down);
  EXPECT_EQ(state("<code>32</code>"), InstanceState::shutting_down);
  EXPECT_EQ(state("<code>0</code>"), InstanceState::pending);
  EXPECT_EQ(state("<code>64</code>"), InstanceState::stopping);
  EXPECT_EQ(state("<code>80</code><name>newly-invented</name>"), InstanceState::stopped);
  EXPECT_EQ(state("<code>7</code><name>newly-invented</name>"), InstanceState::unknown);
  EXPECT_EQ(state("<code>x</code>"), InstanceState::unknown);
  EXPECT_EQ(state(""), InstanceState::unknown);
}

TEST(Ec2Xml, EmptyListingsAreEmptyAndTheLastPageHasNoToken) {
  for (const std::string inner : {"<reservationSet/>", "", "<reservationSet></reservationSet><nextToken/>",
                                  "<reservationSet/><nextToken></nextToken>"}) {
    const auto page = parse_describe_instances(describe(inner));
    ASSERT_TRUE(page.ok()) << inner;
    EXPECT_TRUE(page->instances.empty());
    EXPECT_EQ(page->next_token, "");
  }
}

TEST(Ec2Xml, EveryCutOfAListingIsAnError) {
  for (std::size_t size = 0; size < kDescribeReply.size(); ++size) {
    const auto page = parse_describe_instances(std::string_view(kDescribeReply).substr(0, size));
    ASSERT_FALSE(page.ok()) << size;
    ASSERT_EQ(page.error().code, Errc::invalid);
  }
}

TEST(Ec2Xml, WhatIsNoListingIsAnError) {
  for (const std::string body :
       {"", " ", "\n", "null", "{}", "OK", "<html><body>502 Bad Gateway</body></html>",
        "<!DOCTYPE html><html><body><p>Sign in<br></body></html>", "<DescribeInstancesResponse/>",
        "<DescribeInstancesResponse></DescribeInstancesResponse>",
        "<RunInstancesResponse><requestId>r</requestId></RunInstancesResponse>",
        "<Response><Errors><Error><Code>X</Code></Error></Errors></Response>",
        "<x><DescribeInstancesResponse><requestId>r</requestId></DescribeInstancesResponse></x>"}) {
    EXPECT_FALSE(parse_describe_instances(body).ok()) << body;
  }
  EXPECT_FALSE(parse_describe_instances(kDescribeReply + "<more/>").ok());
  EXPECT_FALSE(parse_describe_instances(kDescribeReply + "x").ok());
  EXPECT_FALSE(parse_describe_instances(kDescribeReply + std::string(1, '\0')).ok());
}

TEST(Ec2Xml, AnInstanceWithoutAnIdSpoilsTheListing) {
  EXPECT_FALSE(parse_describe_instances(one_instance("<imageId>ami-1</imageId>")).ok());
  EXPECT_FALSE(parse_describe_instances(one_instance("<instanceId/>")).ok());
}

TEST(Ec2Xml, DoctypesAndEntitiesAreRefused) {
  const std::string billion =
      "<!DOCTYPE r [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]>" +
      describe("<reservationSet/><nextToken>&b;</nextToken>");
  const std::string external = "<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/hostname\">]>" +
                               describe("<reservationSet/><nextToken>&x;</nextToken>");
  for (const auto& body : {billion, external, "<!DOCTYPE r>" + describe("<reservationSet/>")}) {
    const auto page = parse_describe_instances(body);
    ASSERT_FALSE(page.ok());
    EXPECT_THAT(page.error().message, HasSubstr("DOCTYPE"));
  }
  EXPECT_FALSE(parse_describe_instances(describe("<nextToken>&nbsp;</nextToken>")).ok());
}

TEST(Ec2Xml, DepthTextAndSizeAreBounded) {
  const auto nested = [](int levels) {
    std::string body;
    for (int i = 0; i < levels; ++i) body += "<a>";
    for (int i = 0; i < levels; ++i) body += "</a>";
    return describe(body);
  };
  XmlLimits limits;
  limits.depth = 10;
  EXPECT_TRUE(parse_describe_instances(nested(9), limits).ok());
  EXPECT_FALSE(parse_describe_instances(nested(10), limits).ok());
  EXPECT_FALSE(parse_describe_instances(nested(100'000)).ok());

  limits = {};
  limits.text_bytes = 100;
  EXPECT_TRUE(parse_describe_instances(describe("<a>" + std::string(100, 'x') + "</a>"), limits).ok());
  EXPECT_FALSE(parse_describe_instances(describe("<a>" + std::string(101, 'x') + "</a>"), limits).ok());

  limits = {};
  limits.bytes = kDescribeReply.size();
  EXPECT_TRUE(parse_describe_instances(kDescribeReply, limits).ok());
  limits.bytes -= 1;
  EXPECT_FALSE(parse_describe_instances(kDescribeReply, limits).ok());
}

TEST(Ec2Xml, PrefixedNamesAndOtherNamespacesAreTheSame) {
  const auto page = parse_describe_instances(
      "<e:DescribeInstancesResponse xmlns:e=\"urn:other\"><e:reservationSet><e:item><e:instancesSet><e:item>"
      "<e:instanceId>i-1</e:instanceId></e:item></e:instancesSet></e:item></e:reservationSet>"
      "</e:DescribeInstancesResponse>");
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_EQ(page->instances.at(0).id, "i-1");
}

TEST(Ec2Xml, AListingLargerThanAParserChunkIsWhole) {
  std::string items;
  for (int i = 0; i < 5000; ++i) {
    items += "<item><instancesSet><item><instanceId>i-" + std::to_string(i) +
             "</instanceId></item></instancesSet></item>";
  }
  const auto page = parse_describe_instances(describe("<reservationSet>" + items + "</reservationSet>"));
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->instances.size(), 5000U);
  for (int i = 0; i < 5000; ++i)
    ASSERT_EQ(page->instances[static_cast<std::size_t>(i)].id, "i-" + std::to_string(i));
}

TEST(Ec2Xml, ALaunchHasAtLeastOneInstance) {
  const auto launch = parse_run_instances(
      "<RunInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>q</requestId>"
      "<reservationId>r-1</reservationId><instancesSet>"
      "<item><instanceId>i-1</instanceId><instanceState><code>0</code><name>pending</name></instanceState></"
      "item>"
      "<item><instanceId>i-2</instanceId><clientToken>t</clientToken></item></instancesSet></"
      "RunInstancesResponse>");
  ASSERT_TRUE(launch.ok()) << launch.error().message;
  ASSERT_EQ(launch->size(), 2U);
  EXPECT_EQ(launch->at(0).state, InstanceState::pending);
  EXPECT_EQ(launch->at(1).client_token, "t");
  EXPECT_FALSE(parse_run_instances(
                   "<RunInstancesResponse><requestId>q</requestId><instancesSet/></RunInstancesResponse>")
                   .ok());
}

TEST(Ec2Xml, TerminationsGiveTheirStates) {
  const auto changes = parse_terminate_instances(
      "<TerminateInstancesResponse><requestId>q</requestId><instancesSet><item><instanceId>i-1</instanceId>"
      "<currentState><code>32</code><name>shutting-down</name></currentState>"
      "<previousState><code>16</code><name>running</name></previousState></item></instancesSet>"
      "</TerminateInstancesResponse>");
  ASSERT_TRUE(changes.ok()) << changes.error().message;
  ASSERT_EQ(changes->size(), 1U);
  EXPECT_EQ(changes->at(0).id, "i-1");
  EXPECT_EQ(changes->at(0).current, InstanceState::shutting_down);
  EXPECT_FALSE(parse_terminate_instances("<TerminateInstancesResponse/>").ok());
  EXPECT_FALSE(
      parse_terminate_instances("<TerminateInstancesResponse><instancesSetX><instanceId>i-1</instanceId>"
                                "</instancesSetX></TerminateInstancesResponse>")
          .ok());
}

TEST(Ec2Xml, ErrorsOfBothShapesAreRead) {
  const auto ec2 = parse_aws_error(
      "<?xml version=\"1.0\"?><Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code><Message>The "
      "instance "
      "IDs 'i-1, i-2' do not exist</Message></Error><Error><Code>Second</Code></Error></Errors>"
      "<RequestID>rid</RequestID></Response>");
  ASSERT_TRUE(ec2);
  EXPECT_EQ(ec2->code, "InvalidInstanceID.NotFound");
  EXPECT_EQ(ec2->message, "The instance IDs 'i-1, i-2' do not exist");
  EXPECT_EQ(ec2->request_id, "rid");
  const auto sts = parse_aws_error(
      "<ErrorResponse "
      "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>ExpiredToken"
      "</Code><Message>m</Message></Error><RequestId>r2</RequestId></ErrorResponse>");
  ASSERT_TRUE(sts);
  EXPECT_EQ(sts->code, "ExpiredToken");
  EXPECT_EQ(sts->request_id, "r2");
  for (const std::string root : {"Response", "ErrorResponse"}) {
    for (const std::string list : {"", "Errors"}) {
      const std::string open = list.empty() ? "" : "<" + list + ">";
      const std::string close = list.empty() ? "" : "</" + list + ">";
      const auto other = parse_aws_error("<" + root + ">" + open + "<Error><Code>AuthFailure</Code></Error>" +
                                         close + "<RequestId>r3</RequestId></" + root + ">");
      ASSERT_TRUE(other) << root << list;
      EXPECT_EQ(other->code, "AuthFailure") << root << list;
      EXPECT_EQ(other->request_id, "r3") << root << list;
    }
  }
  for (const char* body :
       {"", "<html>503</html>", "<Response/>", "<Response><Errors><Error><Code/></Error></Errors></Response>",
        "<Response><Errors><Error><Code>Cut</Code></Error>"}) {
    EXPECT_FALSE(parse_aws_error(body)) << body;
  }
}

TEST(Ec2Xml, ReadsImages) {
  const auto images = parse_describe_images(
      "<DescribeImagesResponse "
      "xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId><imagesSet>"
      "<item><imageId>ami-1</imageId><rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/sda1</"
      "rootDeviceName>"
      "<blockDeviceMapping><item><deviceName>/dev/sdb</deviceName></item></blockDeviceMapping></item>"
      "<item><imageId>ami-2</imageId></item></imagesSet></DescribeImagesResponse>");
  ASSERT_TRUE(images.ok());
  ASSERT_EQ(images->size(), 2U);
  EXPECT_EQ(images->at(0).id, "ami-1");
  EXPECT_EQ(images->at(0).root_device, "/dev/sda1");
  EXPECT_EQ(images->at(0).root_device_type, "ebs");
  EXPECT_EQ(images->at(1).root_device, "");
  EXPECT_FALSE(parse_describe_images("<DescribeImagesResponse/>").ok());
  EXPECT_FALSE(parse_describe_images("<html><imagesSet/></html>").ok());
  EXPECT_FALSE(parse_describe_images("<DescribeImagesResponse><imagesSet><item>").ok());
}

}  // namespace
}  // namespace drover::aws
