#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace drover::engine {

// A thread for what waits for the store beside the writer, one errand after the other.
class Errands {
 public:
  explicit Errands(std::string thread_name) : name_(std::move(thread_name)) {}
  ~Errands() { stop(); }
  Errands(const Errands&) = delete;
  Errands& operator=(const Errands&) = delete;

  void start();
  // Waits for the errand that has begun, and drops the rest.
  void stop();
  void put(std::function<void()> errand);  // any thread

 private:
  void run();

  const std::string name_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace drover::engine
