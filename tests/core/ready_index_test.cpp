#include "drover/core/job/ready_index.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace drover::core {
namespace {

const std::vector<std::string> kQ{"q"};
const std::vector<std::string> kBoth{"a", "b"};

std::vector<ReadyKey> keys(std::initializer_list<std::int64_t> numbers) {
  std::vector<ReadyKey> out;
  for (const auto number : numbers) out.push_back({0, number});
  return out;
}

void read(ReadyIndex& index, const std::string& queue, const std::vector<ReadyKey>& found, bool exhausted) {
  index.begin_reading(queue, 1, false);
  EXPECT_TRUE(index.finish_reading(queue, 1, found, exhausted));
}

// Where a reading of queue "q" would go on from; of a copy, so that none begins.
std::optional<ReadyKey> cursor_of(ReadyIndex index) {
  return index.begin_reading("q", 0, false);
}

TEST(ReadyIndex, AQueueThatNobodyNamedHasNone) {
  ReadyIndex index(10);
  EXPECT_EQ(index.needs_refill(kQ), std::nullopt);
  EXPECT_TRUE(index.is_whole("q"));
  index.add("q", {0, 4});
  EXPECT_EQ(index.best(kQ)->second, (ReadyKey{0, 4}));
}

TEST(ReadyIndex, AnUnreadQueueAsksForAllOfIt) {
  ReadyIndex index(10);
  index.restart("q");
  EXPECT_FALSE(index.is_whole("q"));
  EXPECT_EQ(index.needs_refill(kQ), "q");
  EXPECT_EQ(cursor_of(index), std::nullopt);
  EXPECT_EQ(index.best(kQ), std::nullopt);
}

TEST(ReadyIndex, AKeyAboveTheCursorStaysOut) {
  ReadyIndex index(10);
  read(index, "q", keys({1, 2, 3}), false);
  index.add("q", {0, 4});
  EXPECT_EQ(index.size("q"), 3U);
  index.add("q", {-1, 4});  // a higher priority lies below
  EXPECT_EQ(index.size("q"), 4U);
  EXPECT_EQ(index.best(kQ)->second, (ReadyKey{-1, 4}));
}

TEST(ReadyIndex, EveryKeyEntersOnceTheQueueIsKnownToTheEnd) {
  ReadyIndex index(10);
  read(index, "q", keys({1}), true);
  index.add("q", {0, 4});
  EXPECT_EQ(index.size("q"), 2U);
  ASSERT_TRUE(index.remove("q", {0, 1}));
  ASSERT_TRUE(index.remove("q", {0, 4}));
  EXPECT_EQ(index.needs_refill(kQ), std::nullopt);
}

TEST(ReadyIndex, WhenFullTheLargestLeavesAndIsReadAgain) {
  ReadyIndex index(2);
  read(index, "q", {}, true);
  for (const auto number : {3, 1, 2}) index.add("q", {0, number});
  EXPECT_EQ(index.size("q"), 2U);
  EXPECT_EQ(cursor_of(index), (ReadyKey{0, 2}));
  EXPECT_FALSE(index.remove("q", {0, 3}));
  EXPECT_TRUE(index.remove("q", {0, 1}));
  EXPECT_TRUE(index.remove("q", {0, 2}));
  EXPECT_EQ(index.needs_refill(kQ), "q");
  EXPECT_EQ(cursor_of(index), (ReadyKey{0, 2}));
  read(index, "q", keys({3}), true);
  EXPECT_EQ(index.best(kQ)->second, (ReadyKey{0, 3}));
}

TEST(ReadyIndex, ARefillLargerThanTheBoundKeepsTheSmallest) {
  ReadyIndex index(2);
  read(index, "q", keys({1, 2, 3}), true);
  EXPECT_EQ(index.size("q"), 2U);
  EXPECT_EQ(cursor_of(index), (ReadyKey{0, 2}));
  index.remove("q", {0, 1});
  index.remove("q", {0, 2});
  EXPECT_EQ(index.needs_refill(kQ), "q") << "3 was left out, so there is more";
}

TEST(ReadyIndex, BestGoesByRankThenNumberOverAllQueues) {
  ReadyIndex index(10);
  read(index, "a", {{0, 1}, {1, 2}}, true);
  read(index, "b", {{-5, 9}, {0, 0}}, true);
  EXPECT_EQ(index.best(kBoth)->first, "b");
  index.remove("b", {-5, 9});
  EXPECT_EQ(index.best(kBoth)->second, (ReadyKey{0, 0}));
  index.remove("b", {0, 0});
  EXPECT_EQ(index.best(kBoth)->first, "a");
  EXPECT_EQ(index.best(kBoth)->second, (ReadyKey{0, 1}));
}

TEST(ReadyIndex, PlaceInTheQueue) {
  ReadyIndex index(10);
  read(index, "q", keys({5, 7, 9}), false);
  EXPECT_EQ(index.ahead_of("q", {0, 5}), 0);
  EXPECT_EQ(index.ahead_of("q", {0, 9}), 2);
  EXPECT_EQ(index.ahead_of("q", {0, 6}), std::nullopt);
  EXPECT_EQ(index.ahead_of("other", {0, 5}), std::nullopt);
}

TEST(ReadyIndex, WhatHappensDuringAReadingOverrulesWhatWasRead) {
  ReadyIndex index(10);
  read(index, "q", keys({1, 2}), false);
  EXPECT_EQ(index.begin_reading("q", 2, false), (ReadyKey{0, 2}));
  index.remove("q", {0, 3});  // held by a user, say, while it is being read
  index.add("q", {0, 4});
  index.add("q", {0, 9});  // beyond what is read
  index.remove("q", {0, 1});
  EXPECT_TRUE(index.finish_reading("q", 2, keys({3, 5}), false));
  EXPECT_EQ(index.size("q"), 3U) << "2, 4 and 5";
  EXPECT_EQ(index.ahead_of("q", {0, 4}), 1);
  EXPECT_EQ(index.ahead_of("q", {0, 3}), std::nullopt);
  EXPECT_EQ(index.ahead_of("q", {0, 9}), std::nullopt);
  EXPECT_EQ(cursor_of(index), (ReadyKey{0, 5}));
}

TEST(ReadyIndex, ReadAnewAQueueHoldsWhatWasReadAndWhatHappenedSince) {
  ReadyIndex index(10);
  read(index, "q", keys({1, 2, 3}), true);
  EXPECT_EQ(index.begin_reading("q", 2, true), std::nullopt);
  EXPECT_EQ(index.size("q"), 3U) << "until the answer is there";
  index.remove("q", {0, 2});
  index.add("q", {0, 7});
  EXPECT_TRUE(index.finish_reading("q", 2, keys({2, 3, 4}), true));
  EXPECT_EQ(index.size("q"), 3U) << "3, 4 and 7";
  EXPECT_EQ(index.best(kQ)->second, (ReadyKey{0, 3}));
  EXPECT_TRUE(index.is_whole("q"));
}

TEST(ReadyIndex, TheAnswerToAnEarlierReadingIsDropped) {
  ReadyIndex index(10);
  index.begin_reading("q", 1, true);
  index.begin_reading("q", 2, true);
  EXPECT_FALSE(index.finish_reading("q", 1, keys({1}), true));
  EXPECT_TRUE(index.is_being_read("q"));
  EXPECT_TRUE(index.finish_reading("q", 2, keys({2}), true));
  EXPECT_FALSE(index.finish_reading("q", 2, keys({3}), true));
  EXPECT_EQ(index.best(kQ)->second, (ReadyKey{0, 2}));
}

TEST(ReadyIndex, AReadingDuringWhichTheCursorMovedBackWouldLeaveAGap) {
  ReadyIndex index(2);
  read(index, "q", keys({4, 6}), false);
  index.begin_reading("q", 2, false);
  index.add("q", {0, 1});  // 6 is evicted
  EXPECT_FALSE(index.finish_reading("q", 2, keys({7}), true));
  EXPECT_FALSE(index.is_being_read("q"));
  EXPECT_FALSE(index.is_whole("q"));
}

TEST(ReadyIndex, AReadingThatWasGivenUpIsAskedForAgain) {
  ReadyIndex index(10);
  index.restart("q");
  index.begin_reading("q", 1, false);
  index.give_up_reading("q", 1);
  EXPECT_FALSE(index.is_being_read("q"));
  EXPECT_EQ(index.needs_refill(kQ), "q");
}

TEST(ReadyIndex, ItSaysBeforehandThatAQueueRunsOut) {
  ReadyIndex index(10);
  read(index, "q", keys({1, 2}), false);
  EXPECT_FALSE(index.runs_low("q", 2));
  index.remove("q", {0, 1});
  EXPECT_TRUE(index.runs_low("q", 2));
  read(index, "q", {}, true);
  EXPECT_FALSE(index.runs_low("q", 2)) << "there are no more";
}

TEST(ReadyIndex, RestartReadsFromTheBeginning) {
  ReadyIndex index(10);
  read(index, "q", keys({5}), true);
  index.restart("q");
  EXPECT_EQ(index.size("q"), 0U);
  EXPECT_EQ(cursor_of(index), std::nullopt);
  EXPECT_EQ(index.needs_refill(kQ), "q");
}

}  // namespace
}  // namespace drover::core
