#include "drover/base/blocking_pool.hpp"

#include <atomic>
#include <future>
#include <stdexcept>

#include <gtest/gtest.h>

#include "patience.hpp"

namespace drover {
namespace {

TEST(BlockingPool, RunsTasksAtTheSameTime) {
  BlockingPool pool("test", 2, 10);
  std::promise<void> first;
  std::promise<void> second;
  std::promise<void> both;
  // Each needs the other to have started.
  ASSERT_TRUE(pool.post([&] {
    first.set_value();
    second.get_future().wait();
    both.set_value();
  }));
  ASSERT_TRUE(pool.post([&] {
    first.get_future().wait();
    second.set_value();
  }));
  EXPECT_EQ(both.get_future().wait_for(kPatience), std::future_status::ready);
}

TEST(BlockingPool, RefusesWhatDoesNotFit) {
  BlockingPool pool("test", 1, 2);
  std::promise<void> running;
  std::promise<void> go;
  std::atomic<int> ran{0};
  ASSERT_TRUE(pool.post([&] {
    running.set_value();
    go.get_future().wait();
  }));
  running.get_future().wait();
  EXPECT_TRUE(pool.post([&] { ++ran; }));
  std::promise<void> last;
  EXPECT_TRUE(pool.post([&] {
    ++ran;
    last.set_value();
  }));
  EXPECT_FALSE(pool.post([&] { ++ran; }));
  go.set_value();
  last.get_future().wait();
  EXPECT_EQ(ran.load(), 2);
}

TEST(BlockingPool, StopWaitsForWhatRunsAndDropsWhatWaits) {
  auto kept = std::make_shared<int>(1);
  std::atomic<bool> finished{false};
  std::atomic<bool> dropped_ran{false};
  {
    BlockingPool pool("test", 1, 10);
    std::promise<void> running;
    std::promise<void> go;
    ASSERT_TRUE(pool.post([&] {
      running.set_value();
      go.get_future().wait();
      finished = true;
    }));
    running.get_future().wait();
    ASSERT_TRUE(pool.post([&, kept] { dropped_ran = true; }));
    std::thread stopper([&] { pool.stop(); });
    while (!pool.stopped()) std::this_thread::yield();
    EXPECT_FALSE(pool.post([] {}));
    go.set_value();
    stopper.join();
    EXPECT_TRUE(finished.load());
  }
  EXPECT_FALSE(dropped_ran.load());
  EXPECT_EQ(kept.use_count(), 1);
}

TEST(BlockingPool, AnExceptionEndsItsTaskOnly) {
  BlockingPool pool("test", 1, 10);
  ASSERT_TRUE(pool.post([] { throw std::runtime_error("no"); }));
  std::promise<void> after;
  ASSERT_TRUE(pool.post([&] { after.set_value(); }));
  EXPECT_EQ(after.get_future().wait_for(kPatience), std::future_status::ready);
}

}  // namespace
}  // namespace drover
