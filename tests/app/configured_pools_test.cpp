#include "app/configured_pools.hpp"

#include <gtest/gtest.h>

#include "manual_clock.hpp"

namespace drover::app {
namespace {

core::PoolSpec named(const std::string& name) {
  core::PoolSpec spec;
  spec.name = name;
  return spec;
}

// An engine that refuses every pool, or makes it, at once.
class ConfiguredPoolsTest : public ::testing::Test {
 protected:
  void make(ConfiguredPools& pools) {
    pools.make(
        [this](const core::PoolSpec& pool, const engine::Done<services::PoolPut>& done) {
          asked.push_back(pool.name);
          if (refusal) return done(Error{Errc::unavailable, *refusal + pool.name});
          ports::PoolRow row;
          row.spec = pool;
          view.pools.push_back(row);
          done(services::PoolPut{row, true});
        },
        view);
  }
  // The main thread's rounds for so long.
  void make_for(ConfiguredPools& pools, Seconds time) {
    for (const SteadyTime end = clock.steady() + time; clock.steady() < end; clock.pass(Millis{250}))
      make(pools);
  }
  static std::size_t lines(const std::string& log) {
    return static_cast<std::size_t>(std::count(log.begin(), log.end(), '\n'));
  }

  testing::ManualClock clock;
  engine::EngineView view;
  std::optional<std::string> refusal;
  std::vector<std::string> asked;
};

TEST_F(ConfiguredPoolsTest, MakesWhatIsNotThereAndLeavesTheRest) {
  ConfiguredPools pools({named("a"), named("b")}, clock);
  view.pools.emplace_back().spec.name = "a";
  EXPECT_NE(pools.missing(), "");
  make_for(pools, Seconds{2});
  EXPECT_EQ(asked, std::vector<std::string>{"b"});
  EXPECT_EQ(pools.missing(), "");
}

TEST_F(ConfiguredPoolsTest, WhatIsRefusedIsAskedMoreAndMoreRarelyAndSaidOnce) {
  ConfiguredPools pools({named("a"), named("b")}, clock);
  refusal = "no room for ";
  ::testing::internal::CaptureStderr();
  make_for(pools, Seconds{60});
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_LE(asked.size(), 14U) << "each 1, 2, 4, 8, 16, 32 s apart";
  EXPECT_GE(asked.size(), 10U);
  EXPECT_EQ(lines(log), 2U) << log;
  EXPECT_NE(pools.missing().find("pool a was not made: no room for a"), std::string::npos) << pools.missing();
  refusal.reset();
  make_for(pools, Seconds{61});
  EXPECT_EQ(pools.missing(), "");
}

TEST_F(ConfiguredPoolsTest, AnotherReasonIsSaidToo) {
  ConfiguredPools pools({named("a")}, clock);
  ::testing::internal::CaptureStderr();
  for (const char* reason : {"no room for ", "no time for "}) {
    refusal = reason;
    make_for(pools, Seconds{30});
  }
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(lines(log), 2U) << log;
}

TEST_F(ConfiguredPoolsTest, AConfigurationReadAgainIsTriedAtOnce) {
  ConfiguredPools pools({named("a")}, clock);
  refusal = "no room for ";
  make_for(pools, Seconds{30});
  asked.clear();
  pools.replace({named("a")});
  make(pools);
  EXPECT_EQ(asked, std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace drover::app
