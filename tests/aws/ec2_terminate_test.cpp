#include <set>

#include <gmock/gmock.h>

#include "aws/ec2_cloud_fixture.hpp"

namespace drover::aws {
namespace {

using test::detail_of;
using test::ec2_error;
using test::Ec2CloudTest;
using test::reply;
using test::terminated;
using testing::ElementsAre;

TEST_F(Ec2CloudTest, TerminatingNothingSendsNothing) {
  EXPECT_EQ(detail_of(cloud().terminate({})), "ok");
  EXPECT_TRUE(http_.requests.empty());
}

TEST_F(Ec2CloudTest, TerminatesInBatchesOfAHundredWithoutRepetition) {
  std::vector<std::string> ids;
  for (int i = 0; i < 201; ++i) ids.push_back("i-" + std::to_string(i));
  ids.emplace_back("i-0");
  http_.otherwise([](const auto&) { return terminated(); });
  EXPECT_EQ(detail_of(cloud().terminate(ids)), "ok");
  std::multiset<std::size_t> sizes;
  std::multiset<std::string> sent;
  for (std::size_t n = 0; n < http_.requests.size(); ++n) {
    const auto part = parameters(n, "InstanceId.");
    sizes.insert(part.size());
    sent.insert(part.begin(), part.end());
  }
  EXPECT_THAT(sizes, ElementsAre(1U, 100U, 100U));
  EXPECT_EQ(sent, std::multiset<std::string>(ids.begin(), ids.end() - 1));
}

TEST_F(Ec2CloudTest, AnUnknownInstanceIsLeftOutAndTheRestTerminated) {
  http_.then(ec2_error(400, "InvalidInstanceID.NotFound", "The instance IDs 'i-2, i-3' do not exist"));
  http_.then(terminated());
  const std::vector<std::string> ids{"i-1", "i-2", "i-3", "i-4", "i-22"};
  EXPECT_EQ(detail_of(cloud().terminate(ids)), "ok");
  EXPECT_THAT(parameters(1, "InstanceId."), ElementsAre("i-1", "i-22", "i-4"));
  EXPECT_EQ(http_.requests.size(), 2U);
}

TEST_F(Ec2CloudTest, AllUnknownIsDone) {
  http_.then(ec2_error(400, "InvalidInstanceID.NotFound", "The instance IDs 'i-1, i-2' do not exist"));
  const std::vector<std::string> ids{"i-1", "i-2"};
  EXPECT_EQ(detail_of(cloud().terminate(ids)), "ok");
  EXPECT_EQ(http_.requests.size(), 1U);
}

// EC2 as it treats batches: one instance of `bad` fails the whole call with `error`.
std::function<test::FakeHttp::Answer(const ports::HttpRequest&)> refusing(std::set<std::string> bad,
                                                                          const ports::HttpReply& error,
                                                                          std::set<std::string>& done) {
  return [bad = std::move(bad), error, &done](const ports::HttpRequest& request) -> test::FakeHttp::Answer {
    std::vector<std::string> ids;
    const auto form = parse_form(request.body);
    for (const auto& [key, value] : form.value()) {
      if (key.starts_with("InstanceId.")) ids.push_back(value);
    }
    for (const auto& id : ids) {
      if (bad.contains(id)) return error;
    }
    done.insert(ids.begin(), ids.end());
    return terminated();
  };
}

TEST_F(Ec2CloudTest, AnUnknownInstanceThatIsNotNamedIsFoundByHalving) {
  std::set<std::string> done;
  http_.otherwise(refusing({"i-2"}, ec2_error(400, "InvalidInstanceID.NotFound", "gone"), done));
  const std::vector<std::string> ids{"i-1", "i-2", "i-3"};
  EXPECT_EQ(detail_of(cloud().terminate(ids)), "ok");
  EXPECT_THAT(done, ElementsAre("i-1", "i-3"));
}

TEST_F(Ec2CloudTest, AProtectedInstanceThatIsNotNamedIsFoundByHalving) {
  std::set<std::string> done;
  http_.otherwise(refusing({"i-500"}, ec2_error(400, "OperationNotPermitted", "it is protected"), done));
  std::vector<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.push_back("i-" + std::to_string(i));
  EXPECT_EQ(detail_of(cloud().terminate(ids)), "protection/OperationNotPermitted");
  EXPECT_EQ(done.size(), 999U);
  EXPECT_FALSE(done.contains("i-500"));
  EXPECT_LT(http_.requests.size(), 25U);
}

// EC2 as it words refusals about one instance, of a batch in which several are refused.
std::function<test::FakeHttp::Answer(const ports::HttpRequest&)> naming(std::set<std::string> bad,
                                                                        std::string code,
                                                                        std::set<std::string>& done) {
  return [bad = std::move(bad), code = std::move(code),
          &done](const ports::HttpRequest& request) -> test::FakeHttp::Answer {
    std::set<std::string> ids;
    const auto form = parse_form(request.body);
    for (const auto& [key, value] : form.value()) {
      if (key.starts_with("InstanceId.")) ids.insert(value);
    }
    for (const auto& id : ids) {
      if (bad.contains(id)) {
        return ec2_error(400, code, "The instance '" + id + "' may not be terminated. Modify its attribute.");
      }
    }
    done.insert(ids.begin(), ids.end());
    return terminated();
  };
}

TEST_F(Ec2CloudTest, WhatARefusalNamesIsLeftOutAndReportedAndTheRestTerminated) {
  for (const char* code : {"OperationNotPermitted", "IncorrectInstanceState", "UnsupportedOperation"}) {
    std::set<std::string> done;
    http_.requests.clear();
    http_.otherwise(naming({"i-1", "i-500", "i-999"}, code, done));
    std::vector<std::string> ids;
    for (int i = 0; i < 1000; ++i) ids.push_back("i-" + std::to_string(i));
    const auto ended = cloud().terminate(ids);
    ASSERT_FALSE(ended.ok()) << code;
    EXPECT_EQ(ended.error().code, code);
    for (const char* id : {"i-1", "i-500", "i-999"}) {
      EXPECT_NE(ended.error().message.find(id), std::string::npos) << ended.error().message;
    }
    EXPECT_EQ(done.size(), 997U) << code;
    EXPECT_EQ(http_.requests.size(), 13U) << code;
    http_.otherwise([](const auto&) { return terminated(); });
    EXPECT_EQ(detail_of(cloud().terminate(ids)), "ok");
  }
}

TEST_F(Ec2CloudTest, WhatWasRefusedIsAskedAloneAndLastUntilItIsEnded) {
  std::set<std::string> done;
  http_.otherwise(naming({"i-1", "i-2"}, "OperationNotPermitted", done));
  EXPECT_EQ(detail_of(cloud().terminate(std::vector<std::string>{"i-1", "i-2", "i-3"})),
            "protection/OperationNotPermitted");
  EXPECT_EQ(http_.requests.size(), 3U);

  http_.requests.clear();
  const std::vector<std::string> again{"i-1", "i-2", "i-4", "i-5"};
  EXPECT_FALSE(cloud().terminate(again).ok());
  ASSERT_EQ(http_.requests.size(), 3U);
  EXPECT_THAT(parameters(0, "InstanceId."), ElementsAre("i-4", "i-5"));
  EXPECT_THAT(parameters(1, "InstanceId."), ElementsAre("i-1"));
  EXPECT_THAT(parameters(2, "InstanceId."), ElementsAre("i-2"));

  http_.requests.clear();
  http_.otherwise([](const auto&) { return terminated(); });
  EXPECT_EQ(detail_of(cloud().terminate(again)), "ok");
  EXPECT_EQ(http_.requests.size(), 3U);
  EXPECT_EQ(detail_of(cloud().terminate(again)), "ok");
  EXPECT_EQ(http_.requests.size(), 4U) << "what was ended is forgotten";
}

// A rate that is used up meets those that could not be ended, not those that can.
TEST_F(Ec2CloudTest, TheRestOfARefusedBatchWaitsForTheOtherBatches) {
  std::set<std::string> done;
  http_.otherwise(naming({"i-100"}, "OperationNotPermitted", done));
  std::vector<std::string> ids;
  for (int i = 100; i < 300; ++i) ids.push_back("i-" + std::to_string(i));
  EXPECT_FALSE(cloud().terminate(ids).ok());
  ASSERT_EQ(http_.requests.size(), 3U);
  EXPECT_EQ(parameters(0, "InstanceId.").front(), "i-100");
  EXPECT_EQ(parameters(1, "InstanceId.").front(), "i-200");
  EXPECT_EQ(parameters(2, "InstanceId.").front(), "i-101");
}

TEST_F(Ec2CloudTest, WhatIsNoIdIsReportedAndNeverSent) {
  http_.then(terminated());
  const std::vector<std::string> ids{"", "i-*", "i-1"};
  EXPECT_EQ(detail_of(cloud().terminate(ids)), "id/InvalidInstanceID.Malformed");
  EXPECT_THAT(parameters(0, "InstanceId."), ElementsAre("i-1"));

  http_.requests.clear();
  const std::vector<std::string> none{"worker-7"};
  EXPECT_EQ(detail_of(cloud().terminate(none)), "id/InvalidInstanceID.Malformed");
  EXPECT_TRUE(http_.requests.empty());  // a call without ids would be about everything
}

TEST_F(Ec2CloudTest, AFailureOfTheCallEndsTheTermination) {
  http_.otherwise([](const auto&) { return ec2_error(403, "UnauthorizedOperation"); });
  std::vector<std::string> ids;
  for (int i = 0; i < 3000; ++i) ids.push_back("i-" + std::to_string(i));
  EXPECT_EQ(detail_of(cloud().terminate(ids)), "permission/UnauthorizedOperation");
  EXPECT_EQ(http_.requests.size(), 1U);
}

TEST_F(Ec2CloudTest, AnUnreadableTerminationIsTriedAgain) {
  http_.then(reply(200, "<TerminateInstancesResponse>"));
  http_.then(terminated());
  const std::vector<std::string> ids{"i-1"};
  EXPECT_EQ(detail_of(cloud().terminate(ids)), "ok");
  EXPECT_EQ(http_.requests.size(), 2U);
}

}  // namespace
}  // namespace drover::aws
