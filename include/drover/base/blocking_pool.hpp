#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace drover {

// A fixed number of threads for work that blocks, behind a queue of bounded length. Thread-safe.
class BlockingPool {
 public:
  BlockingPool(const char* name, int threads, std::size_t queue_limit);  // `name`: of its threads
  ~BlockingPool();                                                       // stop()s
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // False, and `task` is never called, when the queue is full or the pool has stopped. An exception of a task
  // is logged.
  [[nodiscard]] bool post(std::function<void()> task);
  // Waits for the running tasks and drops the queued ones. Not from a task.
  void stop();
  [[nodiscard]] bool stopped() const;

 private:
  void run();

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  std::size_t limit_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace drover
