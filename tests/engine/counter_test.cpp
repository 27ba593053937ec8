#include "counter.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "drover/memstore/mem_store.hpp"

#include "patience.hpp"

namespace drover::engine {
namespace {

class CounterTest : public ::testing::Test {
 protected:
  void SetUp() override { counter_.start(); }

  // What the counter tells next.
  News told() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [this] { return !news_.empty(); })) {
      ADD_FAILURE() << "the counter tells nothing";
      return NotLed{};
    }
    News out = std::move(news_.front());
    news_.pop_front();
    return out;
  }
  bool told_nothing() {
    const std::lock_guard lock(mutex_);
    return news_.empty();
  }
  template <class T>
  std::int64_t epoch_of(const News& news) {
    const T* is = std::get_if<T>(&news);
    return is == nullptr ? -1 : is->epoch;
  }

  memstore::MemStore store_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<News> news_;
  Counter counter_{store_, [this](News news) {
                     const std::lock_guard lock(mutex_);
                     news_.push_back(std::move(news));
                     changed_.notify_one();
                   }};
};

TEST_F(CounterTest, CountsFromWhereItIsToldToBegin) {
  EXPECT_FALSE(counter_.begin().ok()) << "nothing was opened";
  counter_.open(7);
  EXPECT_EQ(epoch_of<CountOpen>(told()), 7);
  ASSERT_TRUE(counter_.begin().ok());
  const News news = told();
  ASSERT_EQ(epoch_of<Counted>(news), 7);
  EXPECT_TRUE(std::get<Counted>(news).depths.ok());
}

TEST_F(CounterTest, TheNextTermsCountTakesThePlaceOfOneThatDidNotBegin) {
  counter_.open(7);
  EXPECT_EQ(epoch_of<CountOpen>(told()), 7);
  counter_.open(8);
  EXPECT_EQ(epoch_of<CountOpen>(told()), 8);
  ASSERT_TRUE(counter_.begin().ok());
  EXPECT_EQ(epoch_of<Counted>(told()), 8);
}

TEST_F(CounterTest, StopsWhileACountWaitsForItsBeginning) {
  counter_.open(7);
  EXPECT_EQ(epoch_of<CountOpen>(told()), 7);
  counter_.stop();
  EXPECT_TRUE(told_nothing());
}

}  // namespace
}  // namespace drover::engine
