#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

#include "drover/base/clock.hpp"
#include "drover/engine/engine.hpp"

namespace drover::engine {

// What the engine's thread last showed of its memory, for those who only look: they take none of its time,
// and are answered while it is busy. Thread-safe.
class Shown {
 public:
  void show(EngineView view) {
    auto shown = std::make_shared<const EngineView>(std::move(view));
    const std::lock_guard lock(mutex_);
    last_.swap(shown);
  }
  [[nodiscard]] std::shared_ptr<const EngineView> last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  // Called in each round of the engine's thread.
  void gets_on(SteadyTime now) { alive_ = now.time_since_epoch().count(); }
  [[nodiscard]] SteadyTime alive() const { return SteadyTime(SteadyTime::duration(alive_.load())); }

 private:
  static std::shared_ptr<const EngineView> nothing_yet() {
    EngineView view;
    view.standby_reason = "starting";
    return std::make_shared<const EngineView>(std::move(view));
  }
  mutable std::mutex mutex_;
  std::shared_ptr<const EngineView> last_ = nothing_yet();
  std::atomic<SteadyTime::rep> alive_{0};
};

}  // namespace drover::engine
