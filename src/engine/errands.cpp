#include "errands.hpp"

#include <exception>

#include "drover/base/log.hpp"
#include "drover/base/thread_name.hpp"

namespace drover::engine {

void Errands::start() {
  thread_ = std::thread([this] { run(); });
}

void Errands::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting_.clear();
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Errands::put(std::function<void()> errand) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  waiting_.push_back(std::move(errand));
  changed_.notify_one();
}

void Errands::run() {
  name_thread(name_.c_str());
  while (true) {
    std::function<void()> errand;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      errand = std::move(waiting_.front());
      waiting_.pop_front();
    }
    try {
      errand();
    } catch (const std::exception& error) {
      log_error("an errand of the thread {} failed: {}", name_, error.what());
    }
  }
}

}  // namespace drover::engine
