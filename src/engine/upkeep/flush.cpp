#include <utility>

#include "upkeep/chore.hpp"

namespace drover::engine {
namespace {

constexpr Seconds kFlushEvery{60};

// Writes now and then when each worker was last heard, which otherwise only memory knows.
class Flush final : public Chore {
 public:
  void begin_term(SteadyTime now) override { next_ = now + kFlushEvery; }
  [[nodiscard]] SteadyTime due(const Parts&) const override { return next_; }
  void run(Parts& parts) override {
    next_ = parts.clock.steady() + kFlushEvery;
    ports::TouchWorkers touch;
    for (const auto& [id, worker] : parts.state.workers) {
      if (worker.unflushed_seen) touch.last_seen.emplace_back(id, *worker.unflushed_seen);
    }
    if (touch.last_seen.empty()) return;
    parts.pipeline.add(work_of<ports::TouchWorkers>(std::move(touch), [](const auto&) {}));
  }

 private:
  SteadyTime next_{};
};

}  // namespace

std::unique_ptr<Chore> make_flush() {
  return std::make_unique<Flush>();
}

}  // namespace drover::engine
