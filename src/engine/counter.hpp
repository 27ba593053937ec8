#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "drover/ports/reads.hpp"

#include "order.hpp"

namespace drover::engine {

// The thread that counts the ready jobs of each queue at the beginning of a term, while the engine and the
// writer go on.
class Counter {
 public:
  Counter(ports::Reads& reads, std::function<void(News)> tell) : reads_(reads), tell_(std::move(tell)) {}
  ~Counter() { stop(); }
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  void start();
  // Gives up a count that is under way.
  void stop();

  // Opens the connection for the count of the term of this epoch, instead of whatever count is under way.
  // Tells CountOpen, or Counted with an error.
  void open(std::int64_t epoch);
  // The writer's thread, between two batches. Tells Counted later.
  [[nodiscard]] Status begin();

 private:
  void run();
  void count(std::int64_t epoch);

  ports::Reads& reads_;
  std::function<void(News)> tell_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::int64_t> wanted_;
  std::shared_ptr<ports::DepthCount> count_;  // open
  bool begun_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace drover::engine
