#include "event_loop.hpp"

#include <algorithm>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace drover::localcloud {

EventLoop::EventLoop() = default;

EventLoop::~EventLoop() {
  stop();
  if (wake_fd_ >= 0) close(wake_fd_);
}

Status EventLoop::start() {
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd_ < 0) return internal("cannot make an eventfd");
  thread_ = std::thread([this] { run(); });
  return Ok{};
}

void EventLoop::stop() {
  std::multimap<SteadyTime, std::function<void()>> tasks;
  std::vector<Watch> watches;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  if (thread_.joinable()) thread_.join();
  const std::lock_guard lock(mutex_);
  tasks.swap(tasks_);
  watches.swap(watches_);
}

void EventLoop::at(SteadyTime when, std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    tasks_.emplace(when, std::move(task));
  }
  wake();
}

void EventLoop::after(Millis delay, std::function<void()> task) {
  at(std::chrono::steady_clock::now() + delay, std::move(task));
}

void EventLoop::watch(std::shared_ptr<const ProcessHandle> process, std::function<void()> on_exit) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    watches_.push_back({std::move(process), std::move(on_exit)});
  }
  wake();
}

void EventLoop::wake() {
  const std::uint64_t one = 1;
  if (wake_fd_ >= 0) (void)!write(wake_fd_, &one, sizeof one);
}

Micros EventLoop::until_next() const {
  if (tasks_.empty()) return Seconds(3600);
  const auto wait = tasks_.begin()->first - std::chrono::steady_clock::now();
  return std::max(Micros(0), std::chrono::ceil<Micros>(wait));
}

void EventLoop::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    std::vector<pollfd> polled{{wake_fd_, POLLIN, 0}};
    for (const auto& watch : watches_) polled.push_back({watch.process->fd(), POLLIN, 0});
    const auto wait = until_next();
    const timespec timeout{wait.count() / 1'000'000, wait.count() % 1'000'000 * 1000};
    lock.unlock();
    (void)ppoll(polled.data(), polled.size(), &timeout, nullptr);
    std::uint64_t count = 0;
    (void)!read(wake_fd_, &count, sizeof count);
    lock.lock();

    std::vector<std::function<void()>> due;
    // Only this thread removes watches, and other threads only append, so that the first watches are still
    // those that were polled.
    for (std::size_t i = polled.size() - 1; i > 0; --i) {
      if (polled[i].revents == 0) continue;
      due.push_back(std::move(watches_[i - 1].on_exit));
      watches_.erase(watches_.begin() + static_cast<std::ptrdiff_t>(i - 1));
    }
    const auto now = std::chrono::steady_clock::now();
    while (!tasks_.empty() && tasks_.begin()->first <= now) {
      due.push_back(std::move(tasks_.begin()->second));
      tasks_.erase(tasks_.begin());
    }
    lock.unlock();
    for (const auto& task : due) task();
    due.clear();
    lock.lock();
  }
}

}  // namespace drover::localcloud
