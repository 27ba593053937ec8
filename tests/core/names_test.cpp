#include <gtest/gtest.h>

#include "drover/core/fleet/facts.hpp"
#include "drover/core/job/job.hpp"
#include "drover/core/job/transitions.hpp"

namespace drover::core {
namespace {

// Every value up to `last` has a name of its own that parses back to it.
template <class Enum, class Parse>
void expect_round_trip(Enum last, Parse parse) {
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    const auto value = static_cast<Enum>(i);
    const auto back = parse(to_string(value));
    ASSERT_TRUE(back.has_value()) << i;
    EXPECT_EQ(static_cast<int>(*back), i) << to_string(value);
  }
  EXPECT_FALSE(parse("").has_value());
  EXPECT_FALSE(parse("Queued").has_value());
  EXPECT_FALSE(parse("unknown").has_value());
}

TEST(Names, RoundTrip) {
  expect_round_trip(JobState::cancelled, parse_job_state);
  expect_round_trip(Outcome::stopped, parse_outcome);
  expect_round_trip(WorkerState::gone, parse_worker_state);
  expect_round_trip(LaunchState::closed, parse_launch_state);
  expect_round_trip(Market::on_demand, parse_market);
  expect_round_trip(Provider::none, parse_provider);
}

TEST(InstanceId, IsHexadecimalDigitsAfterItsPrefix) {
  EXPECT_TRUE(is_instance_id("i-0123456789abcdef0"));
  EXPECT_TRUE(is_instance_id("i-1"));
  for (const char* bad : {"", "i-", "i-*", "i-a?", "I-1", "i-A", "i-1-2", "w-1", "i-xyz", "i-1 ",
                          "i-0123456789abcdef0123456789abcdef0"}) {
    EXPECT_FALSE(is_instance_id(bad)) << bad;
  }
}

TEST(Names, InstanceStatesAreEc2s) {
  EXPECT_EQ(to_string(InstanceState::shutting_down), "shutting-down");
  EXPECT_EQ(parse_instance_state("shutting-down"), InstanceState::shutting_down);
  EXPECT_EQ(parse_instance_state("terminated"), InstanceState::terminated);
  EXPECT_EQ(parse_instance_state("rebooting"), InstanceState::unknown);
}

TEST(InstanceState, AnUnknownStateIsNoSignOfDeath) {
  EXPECT_FALSE(is_gone(InstanceState::unknown));
  EXPECT_FALSE(is_gone(InstanceState::pending));
  EXPECT_FALSE(is_gone(InstanceState::running));
  EXPECT_TRUE(is_gone(InstanceState::shutting_down));
  EXPECT_TRUE(is_gone(InstanceState::terminated));
  EXPECT_TRUE(is_gone(InstanceState::stopping));
  EXPECT_TRUE(is_gone(InstanceState::stopped));
}

TEST(FailureReason, NamesTheCodeOrTheSignal) {
  EXPECT_EQ(failure_reason(3, {}), "exit code 3");
  EXPECT_EQ(failure_reason(150, {}), "exit code 150");
  EXPECT_EQ(failure_reason({}, 1), "killed by signal 1 (SIGHUP)");
  EXPECT_EQ(failure_reason({}, 9), "killed by signal 9 (SIGKILL)");
  EXPECT_EQ(failure_reason({}, 15), "killed by signal 15 (SIGTERM)");
  EXPECT_EQ(failure_reason({}, 31), "killed by signal 31 (SIGSYS)");
  EXPECT_EQ(failure_reason({}, 34), "killed by signal 34");
  EXPECT_EQ(failure_reason(137, 9), "killed by signal 9 (SIGKILL)");
  EXPECT_EQ(failure_reason({}, {}), "");
}

}  // namespace
}  // namespace drover::core
