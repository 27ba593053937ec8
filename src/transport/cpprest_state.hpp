#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "drover/base/log.hpp"
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

  // Calls `call` with the handler. False, without a call, once the server has ended: the handler may be gone.
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
  // The done callback of an answer, to be called once: by settle() with the ticket, or by cut_off(),
  // whichever comes first.
  std::uint64_t expect(std::function<void(bool)> done) {
    std::unique_lock lock(mutex_);
    if (cut_off_) {
      lock.unlock();
      call(done, false);
      return 0;
    }
    expected_.emplace(++last_ticket_, std::move(done));
    return last_ticket_;
  }
  void settle(std::uint64_t ticket, bool delivered) {
    std::unique_lock lock(mutex_);
    const auto found = expected_.extract(ticket);
    if (found.empty()) return;
    ++settling_;
    lock.unlock();
    call(found.mapped(), delivered);
    lock.lock();
    --settling_;
    idle_.notify_all();
  }
  // Answers that are still under way count as not delivered. When this returns, the library causes no done
  // callback any more; an answer given later is told false at once, by expect(), on the thread that gives it.
  void cut_off() {
    std::unique_lock lock(mutex_);
    cut_off_ = true;
    const auto rest = std::exchange(expected_, {});
    lock.unlock();
    for (const auto& [ticket, done] : rest) call(done, false);
    lock.lock();
    idle_.wait(lock, [this] { return settling_ == 0; });
  }

  // Takes no lock, since handlers that hold locks of their own give answers.
  [[nodiscard]] bool over() const { return over_.load(); }

 private:
  static void call(const std::function<void(bool)>& done, bool delivered) {
    try {
      if (done) done(delivered);
    } catch (const std::exception& error) {
      log_error("a completion callback threw: {}", error.what());
    }
  }

  std::mutex mutex_;
  std::condition_variable idle_;
  int inside_ = 0;
  bool stopping_ = false;
  std::map<std::uint64_t, std::function<void(bool)>> expected_;
  std::uint64_t last_ticket_ = 0;
  int settling_ = 0;  // callbacks that run now
  bool cut_off_ = false;

  std::shared_mutex handler_mutex_;
  std::atomic<bool> over_{false};
  http::Handler& handler_;
};

}  // namespace drover::transport
