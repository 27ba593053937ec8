#include "drover/base/clock.hpp"

#include <gtest/gtest.h>

#include "drover/base/text.hpp"

namespace drover {
namespace {

TEST(Clock, AWaitIsNeverNegativeNorLongerThanAnHour) {
  const WallTime now = *parse_rfc3339("2026-01-02T03:04:05Z");
  EXPECT_EQ(time_until(now, now), Seconds{0});
  EXPECT_EQ(time_until(now - Micros{1}, now), Seconds{0});
  EXPECT_EQ(time_until(now + Micros{1}, now), Micros{1});
  EXPECT_EQ(time_until(now + Seconds{3599}, now), Seconds{3599});
  EXPECT_EQ(time_until(now + Seconds{3601}, now), kLongestWait);
}

// In nanoseconds, as steady time counts, none of these differences exists.
TEST(Clock, AWaitForTheEndsOfTimeOverflowsNothing) {
  const WallTime now = *parse_rfc3339("2026-01-02T03:04:05Z");
  EXPECT_EQ(time_until(*parse_rfc3339("2317-01-01T00:00:00Z"), now), kLongestWait);
  EXPECT_EQ(time_until(*parse_rfc3339("9999-12-31T23:59:59Z"), now), kLongestWait);
  EXPECT_EQ(time_until(WallTime::max(), now), kLongestWait);
  EXPECT_EQ(time_until(*parse_rfc3339("0000-01-01T00:00:00Z"), now), Seconds{0});
  EXPECT_EQ(time_until(WallTime::min(), now), Seconds{0});
}

}  // namespace
}  // namespace drover
