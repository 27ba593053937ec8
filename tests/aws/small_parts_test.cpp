#include <gtest/gtest.h>

#include "drover/aws/ec2_cloud.hpp"
#include "drover/aws/endpoint.hpp"
#include "drover/aws/rate_budget.hpp"
#include "drover/base/text.hpp"

namespace drover::aws {
namespace {

TEST(Endpoint, TheHostHeaderHoldsAPortThatIsNotTheSchemesOwn) {
  EXPECT_EQ(parse_endpoint("http://127.0.0.1:4566")->host, "127.0.0.1:4566");
  EXPECT_EQ(parse_endpoint("http://127.0.0.1:4566")->url, "http://127.0.0.1:4566/");
  EXPECT_EQ(parse_endpoint("https://Ec2.Example:443/x")->host, "ec2.example");
  EXPECT_EQ(parse_endpoint("https://h:443/x")->path, "/x");
  EXPECT_EQ(parse_endpoint("http://h:443")->host, "h:443");
  EXPECT_EQ(parse_endpoint("http://h:80")->host, "h");
  EXPECT_EQ(parse_endpoint("http://[::1]")->host, "[::1]");
  EXPECT_EQ(parse_endpoint("http://[::1]:81")->host, "[::1]:81");
  for (const char* bad :
       {"", "ec2.amazonaws.com", "ftp://h", "http://", "http://:80", "http://h:0", "http://h:x",
        "http://h:70000", "http://u:p@h", "http://h?x", "http://h#x", "http://h h", "http://h\n"}) {
    EXPECT_FALSE(parse_endpoint(bad).ok()) << bad;
  }
  EXPECT_EQ(default_endpoint("ec2", "eu-west-1"), "https://ec2.eu-west-1.amazonaws.com/");
  EXPECT_EQ(default_endpoint("ec2", "cn-north-1"), "https://ec2.cn-north-1.amazonaws.com.cn/");
}

class Bucket : public ::testing::Test {
 protected:
  std::optional<std::int64_t> take(double tokens, Millis patience = Millis(5000)) {
    const auto wait = bucket_.take(tokens, now_, patience);
    return wait ? std::optional<std::int64_t>(wait->count()) : std::nullopt;
  }
  TokenBucket bucket_{4, 2};
  SteadyTime now_{std::chrono::hours(1)};
};

TEST_F(Bucket, StartsFullAndThenPacesItsTakers) {
  EXPECT_EQ(take(4), 0);
  EXPECT_EQ(take(1), 500);
  EXPECT_EQ(take(1), 1000);  // behind the one before
  now_ += Seconds(1);
  EXPECT_EQ(take(1), 500);
}

TEST_F(Bucket, NeverHoldsMoreThanItsCapacity) {
  now_ += std::chrono::hours(1);
  EXPECT_EQ(take(4), 0);
  EXPECT_EQ(take(1), 500);
}

TEST_F(Bucket, AWaitBeyondPatienceTakesNothing) {
  EXPECT_EQ(take(4), 0);
  EXPECT_EQ(take(3, Millis(1000)), std::nullopt);
  EXPECT_EQ(take(2, Millis(1000)), 1000);
}

TEST_F(Bucket, MoreThanTheCapacityWaitsForAFullBucketAndOverdrawsIt) {
  EXPECT_EQ(take(10), 0);
  EXPECT_EQ(take(1), 3500);  // six below nothing, and one
}

TEST_F(Bucket, DrainedIsEmptyAndStaysOverdrawn) {
  bucket_.drain(now_);
  EXPECT_EQ(take(1), 500);
  bucket_.drain(now_);
  EXPECT_EQ(take(1), 1000);
}

}  // namespace
}  // namespace drover::aws
