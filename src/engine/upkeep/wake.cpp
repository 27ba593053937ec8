#include <algorithm>

#include "upkeep/chore.hpp"

namespace drover::engine {
namespace {

constexpr int kSlice = 1000;  // jobs woken by one change; the rest by the next
constexpr Seconds kRefusedPause{1};

// Makes delayed jobs ready whose time has come.
class Wake final : public Chore {
 public:
  void begin_term(SteadyTime now) override {
    under_way_ = false;
    not_before_ = now;
  }
  [[nodiscard]] SteadyTime due(const Parts& parts) const override {
    if (under_way_ || !parts.state.next_wake) return SteadyTime::max();
    const auto wait = time_until(*parts.state.next_wake, parts.clock.wall());
    if (wait <= SteadyTime::duration::zero()) return not_before_;
    return std::max(not_before_, parts.clock.steady() + wait);
  }
  void run(Parts& parts) override {
    if (*parts.state.next_wake > parts.clock.wall()) return;
    under_way_ = true;
    const auto told = [this, &parts](const Result<ports::WakeJobs::Answer>& woken) {
      under_way_ = false;
      // Refused, perhaps because the store has no room. It is tried again, or jobs that are due would sleep
      // on.
      if (!woken.ok()) not_before_ = parts.clock.steady() + kRefusedPause;
    };
    parts.pipeline.add(work_of<ports::WakeJobs>(ports::WakeJobs{parts.clock.wall(), kSlice}, told));
  }

 private:
  bool under_way_ = false;
  SteadyTime not_before_{};
};

}  // namespace

std::unique_ptr<Chore> make_wake() {
  return std::make_unique<Wake>();
}

}  // namespace drover::engine
