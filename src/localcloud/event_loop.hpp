#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/result.hpp"

#include "process.hpp"

namespace drover::localcloud {

// One thread that runs tasks at given times and tells when processes end. Tasks run one after another, with
// no lock held. Thread-safe.
class EventLoop {
 public:
  EventLoop();
  ~EventLoop();  // stop()
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  Status start();
  // Waits for the task that runs; drops the other tasks, and those that are added later. Not from a task.
  void stop();
  void at(SteadyTime when, std::function<void()> task);
  void after(Millis delay, std::function<void()> task);
  void watch(std::shared_ptr<const ProcessHandle> process, std::function<void()> on_exit);

 private:
  struct Watch {
    std::shared_ptr<const ProcessHandle> process;
    std::function<void()> on_exit;
  };
  void run();
  void wake();
  [[nodiscard]] Micros until_next() const;

  std::mutex mutex_;
  bool stopping_ = false;
  std::multimap<SteadyTime, std::function<void()>> tasks_;
  std::vector<Watch> watches_;
  int wake_fd_ = -1;
  std::thread thread_;
};

}  // namespace drover::localcloud
