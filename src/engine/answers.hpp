#pragma once

#include <array>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "drover/engine/engine.hpp"
#include "drover/ports/change.hpp"

namespace drover::engine {

// The thread on which callers are told their answers, so that what they do with them (rendering, sockets)
// takes no time of the engine's. The answers of a round are handed over together, the workers' before others.
// An exception out of a callback ends that answer alone, with a line in the log.
class Answers {
 public:
  Answers() = default;
  ~Answers() { stop(); }
  Answers(const Answers&) = delete;
  Answers& operator=(const Answers&) = delete;

  void start();
  // Returns when all that was handed over has been told. Any thread.
  void stop();

  // What the engine's thread calls in place of `done`. It can be called once only, since it moves `done` on.
  template <class T>
  [[nodiscard]] Done<T> later(ports::Lane lane, Done<T> done) {
    return [this, lane, done = std::move(done)](Result<T> result) mutable {
      add(lane, [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
    };
  }
  // The engine's thread, at the end of its round.
  void hand_over();

 private:
  using Batch = std::array<std::vector<std::function<void()>>, 2>;  // workers', others'

  void add(ports::Lane lane, std::function<void()> tell);
  void run();

  Batch of_this_round_;  // the engine's thread alone
  std::mutex mutex_;
  std::condition_variable changed_;
  Batch handed_over_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace drover::engine
