#pragma once

#include <functional>
#include <mutex>
#include <utility>

#include "drover/ports/changes.hpp"

#include "worker_tokens.hpp"

namespace drover::engine {

// Tells those outside the engine's thread of what was committed: the table of workers' tokens, and the
// reconciler.
class Feed {
 public:
  // Any thread. Called from the engine's thread.
  void on_demand(std::function<void()> hook) {
    const std::lock_guard lock(mutex_);
    hook_ = std::move(hook);
  }

  void committed(const ports::Change& change, const ports::Settled& settled) {
    std::visit(
        [&]<class C>(const C&) {
          const ports::AnswerOf<C>& answer = *ports::result_of<C>(settled);
          if constexpr (requires { answer.worker.token_hash; }) tokens.put(answer.worker);
          wake_fleet_ = wake_fleet_ || C::kWakesFleet;
        },
        change);
  }
  void wake_fleet() { wake_fleet_ = true; }
  // Once a round: calls the hook if something asked for it.
  void pass_on() {
    if (!std::exchange(wake_fleet_, false)) return;
    std::function<void()> hook;
    {
      const std::lock_guard lock(mutex_);
      hook = hook_;
    }
    if (hook) hook();
  }

  WorkerTokens tokens;

 private:
  std::mutex mutex_;
  std::function<void()> hook_;
  bool wake_fleet_ = false;
};

}  // namespace drover::engine
