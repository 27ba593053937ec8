#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "writer.hpp"

namespace drover::engine {

// Runs a Writer in a thread of its own, so that the engine's thread never waits for the store.
class WriterThread {
 public:
  explicit WriterThread(Writer& writer) : writer_(writer) {}
  ~WriterThread() { stop(); }
  WriterThread(const WriterThread&) = delete;
  WriterThread& operator=(const WriterThread&) = delete;

  void start();
  // Carried out as soon as the writer is free; before a resignation that is asked for later.
  void put(Order order);
  void resign(std::string why);
  // Gives leadership up, after an order that is under way, and waits for the thread's end.
  void stop();

 private:
  void run();

  Writer& writer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Order> order_;
  std::optional<std::string> resignation_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace drover::engine
