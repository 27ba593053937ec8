#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>

#include "drover/transport/server.hpp"

#include "body.hpp"

namespace drover::transport {

// What all requests of one cpprestsdk server share, and what outlives it with a Reply that is still held.
// Thread-safe.
class CpprestState {
 public:
  CpprestState(ServerOptions server_options, http::Handler& handler)
      : options(std::move(server_options)), budget(options.max_buffered_bytes), handler_(handler) {}

  const ServerOptions options;
  BodyBudget budget;

  // A request comes in; false when it must be turned away, because the server stops.
  bool enter() {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    ++inside_;
    return true;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    if (--inside_ == 0) idle_.notify_all();
  }
  // From here on enter() refuses. Waits at most `grace` for those inside.
  void stop(Millis grace) {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    idle_.wait_for(lock, grace, [this] { return inside_ == 0; });
  }

  // Calls with the handler, unless the server is over: then false, and the handler may be gone.
  template <class Call>
  bool with_handler(Call call) {
    const std::shared_lock lock(handler_mutex_);
    if (over_) return false;
    call(handler_);
    return true;
  }
  // Waits for calls of the handler and lets no other begin.
  void end() {
    const std::unique_lock lock(handler_mutex_);
    over_ = true;
  }
  // Takes no lock: answers come from handlers too, with locks of their own.
  [[nodiscard]] bool over() const { return over_.load(); }

 private:
  std::mutex mutex_;
  std::condition_variable idle_;
  int inside_ = 0;
  bool stopping_ = false;

  std::shared_mutex handler_mutex_;
  std::atomic<bool> over_{false};
  http::Handler& handler_;
};

}  // namespace drover::transport
