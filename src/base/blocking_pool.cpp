#include "drover/base/blocking_pool.hpp"

#include <exception>
#include <utility>

#include "drover/base/log.hpp"
#include "drover/base/thread_name.hpp"

namespace drover {

BlockingPool::BlockingPool(const char* name, int threads, std::size_t queue_limit) : limit_(queue_limit) {
  threads_.reserve(static_cast<std::size_t>(threads));
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this, name] {
      name_thread(name);
      run();
    });
  }
}

BlockingPool::~BlockingPool() {
  stop();
}

bool BlockingPool::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || queue_.size() >= limit_) return false;
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void BlockingPool::stop() {
  // Destroyed outside the lock: a task's destructor may call post().
  std::deque<std::function<void()>> dropped;
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    dropped.swap(queue_);
    threads.swap(threads_);
  }
  wake_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

bool BlockingPool::stopped() const {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

void BlockingPool::run() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
      if (stopped_) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    try {
      task();
    } catch (const std::exception& error) {
      log_error("a task of the blocking pool threw: {}", error.what());
    }
  }
}

}  // namespace drover
