#include "counter.hpp"

#include <utility>

#include "drover/base/thread_name.hpp"

namespace drover::engine {

void Counter::start() {
  thread_ = std::thread([this] { run(); });
}

void Counter::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (count_) count_->cancel();
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Counter::open(std::int64_t epoch) {
  const std::lock_guard lock(mutex_);
  wanted_ = epoch;
  if (count_) count_->cancel();
  changed_.notify_all();
}

Status Counter::begin() {
  std::shared_ptr<ports::DepthCount> count;
  {
    const std::lock_guard lock(mutex_);
    if (wanted_ || !count_ || begun_) return unavailable("no connection for a count is open");
    count = count_;
  }
  Status begun = count->begin();
  const std::lock_guard lock(mutex_);
  if (count != count_) return unavailable("the count was given up");
  begun_ = true;
  if (!begun.ok()) count_.reset();
  changed_.notify_all();
  return begun;
}

void Counter::run() {
  name_thread("count");
  while (true) {
    std::int64_t epoch = 0;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || wanted_; });
      if (stopping_) return;
      epoch = *std::exchange(wanted_, std::nullopt);
    }
    count(epoch);
  }
}

void Counter::count(std::int64_t epoch) {
  auto opened = reads_.open_count();
  if (!opened.ok()) {
    tell_(Counted{epoch, opened.error()});
    return;
  }
  std::shared_ptr<ports::DepthCount> count = std::move(*opened);
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || wanted_) return;
    count_ = count;
    begun_ = false;
  }
  tell_(CountOpen{epoch});
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || wanted_ || begun_; });
  }
  const bool under_way = [&] {
    const std::lock_guard lock(mutex_);
    return count_ != nullptr && begun_;
  }();
  if (under_way) tell_(Counted{epoch, count->result()});
  const std::lock_guard lock(mutex_);
  count_.reset();
}

}  // namespace drover::engine
