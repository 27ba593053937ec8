#include "upkeep/chore.hpp"

namespace drover::engine {
namespace {

constexpr Seconds kEvery{3600};

// Makes the tables of the coming days, on a connection that the writer does not wait for. Those of today are
// there before a daemon leads: a row that is on its way into the table for all days while a table of its own
// day is made is refused by the server.
class Partitions final : public Chore {
 public:
  void begin_term(SteadyTime now) override { next_ = now + kEvery; }
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
