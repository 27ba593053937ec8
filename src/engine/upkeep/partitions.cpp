#include "upkeep/chore.hpp"

namespace drover::engine {
namespace {

constexpr Seconds kEvery{3600};

// The tables of the coming days, on a connection that the writer does not wait for.
class Partitions final : public Chore {
 public:
  void begin_term(SteadyTime now) override { next_ = now; }
  [[nodiscard]] SteadyTime due(const Parts&) const override { return next_; }
  void run(Parts& parts) override {
    next_ = parts.clock.steady() + kEvery;
    parts.partitions_wanted = true;
  }

 private:
  SteadyTime next_{};
};

}  // namespace

std::unique_ptr<Chore> make_partitions() {
  return std::make_unique<Partitions>();
}

}  // namespace drover::engine
