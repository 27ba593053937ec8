#include "leases.hpp"
#include "upkeep/chore.hpp"

namespace drover::engine {
namespace {

constexpr Millis kSweepEvery{500};  // how late an expired lease may be noticed

// Ends attempts whose leases are over.
class Expire final : public Chore {
 public:
  void begin_term(SteadyTime now) override { next_ = now + kSweepEvery; }
  [[nodiscard]] SteadyTime due(const Parts& parts) const override {
    return parts.state.leases.empty() ? SteadyTime::max() : next_;
  }
  void run(Parts& parts) override {
    next_ = parts.clock.steady() + kSweepEvery;
    expire_leases(parts);
  }
  void stood_still(Parts& parts) override {
    next_ = parts.clock.steady() + Seconds{parts.state.tunables.heartbeat_interval_s};
  }

 private:
  SteadyTime next_{};
};

}  // namespace

std::unique_ptr<Chore> make_expire() {
  return std::make_unique<Expire>();
}

}  // namespace drover::engine
