#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "drover/aws/ec2_cloud.hpp"

#include "aws/fakes.hpp"

namespace drover::aws::test {

inline ports::HttpReply ec2_error(int status, const std::string& code, const std::string& message = "m",
                                  Headers headers = {}) {
  return reply(status,
               "<Response><Errors><Error><Code>" + code + "</Code><Message>" + message +
                   "</Message></Error></Errors><RequestID>r</RequestID></Response>",
               std::move(headers));
}

inline std::string instance_items(const std::vector<std::string>& ids) {
  std::string items;
  for (const auto& id : ids) {
    items +=
        "<item><instanceId>" + id + "</instanceId><instanceState><name>running</name></instanceState></item>";
  }
  return "<instancesSet>" + items + "</instancesSet>";
}

inline ports::HttpReply page(const std::vector<std::string>& ids, const std::string& token_element = {}) {
  return reply(200, "<DescribeInstancesResponse><requestId>r</requestId><reservationSet><item>" +
                        instance_items(ids) + "</item></reservationSet>" + token_element +
                        "</DescribeInstancesResponse>");
}

inline ports::HttpReply launched(const std::vector<std::string>& ids) {
  return reply(200, "<RunInstancesResponse><requestId>r</requestId>" + instance_items(ids) +
                        "</RunInstancesResponse>");
}

inline ports::HttpReply described(const std::string& image, const std::string& more) {
  return reply(200, "<DescribeImagesResponse><requestId>r</requestId><imagesSet><item><imageId>" + image +
                        "</imageId>" + more + "</item></imagesSet></DescribeImagesResponse>");
}

inline ports::HttpReply terminated() {
  return reply(
      200,
      "<TerminateInstancesResponse><requestId>r</requestId><instancesSet/></TerminateInstancesResponse>");
}

class CountingCredentials final : public CredentialsProvider {
 public:
  Result<Credentials> get() override {
    if (broken) return Error{Errc::unavailable, "no credentials anywhere"};
    Credentials out = golden_credentials();
    out.access_key = "KEY" + std::to_string(refreshed);
    return out;
  }
  Result<Credentials> refresh() override {
    ++refreshed;
    return get();
  }
  int refreshed = 0;
  bool broken = false;
};

// An Ec2Cloud over a script, with a clock that moves only when something sleeps, and then by that time.
class Ec2CloudTest : public ::testing::Test {
 protected:
  Ec2CloudTest() {
    options_.region = "us-east-1";
    options_.endpoint = "http://127.0.0.1:4566";
    options_.rate_share = 0;
  }

  Ec2Cloud& cloud() {
    if (!cloud_) {
      Ec2Tools tools{http_, credentials_, clock_, {}, {}};
      tools.sleep = [this](Millis time) {
        sleeps_.push_back(time);
        clock_.advance(time);
      };
      tools.uniform = [this] { return uniform_; };
      auto made = Ec2Cloud::make(options_, std::move(tools));
      EXPECT_TRUE(made.ok());
      cloud_ = std::move(*made);
    }
    return *cloud_;
  }

  static core::LaunchRequest launch(int count = 2) {
    core::LaunchRequest request;
    request.client_token = "drover-7-1";
    request.count = count;
    request.image = "ami-1";
    request.instance_type = "c7g.large";
    request.tags = {{"drover:deployment", "d"}};
    return request;
  }

  // A parameter of the n-th request's form.
  std::string parameter(std::size_t n, const std::string& name) const {
    const auto form = parse_form(http_.requests.at(n).body);
    for (const auto& [key, value] : form.value()) {
      if (key == name) return value;
    }
    return {};
  }
  std::vector<std::string> parameters(std::size_t n, const std::string& prefix) const {
    std::vector<std::string> out;
    const auto form = parse_form(http_.requests.at(n).body);
    for (const auto& [key, value] : form.value()) {
      if (key.starts_with(prefix)) out.push_back(value);
    }
    return out;
  }
  std::string sent_header(std::size_t n, std::string_view name) const {
    return header_of(http_.requests.at(n), name);
  }

  Ec2Options options_;
  FakeHttp http_;
  CountingCredentials credentials_;
  FakeClock clock_;
  double uniform_ = 0.5;
  std::vector<Millis> sleeps_;

 private:
  std::unique_ptr<Ec2Cloud> cloud_;
};

template <class T>
std::string detail_of(const core::CloudResult<T>& result) {
  if (result.ok()) return "ok";
  return std::string(to_string(result.error().error_class)) + '/' + result.error().code;
}

}  // namespace drover::aws::test
