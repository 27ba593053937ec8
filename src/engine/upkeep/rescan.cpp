#include <set>
#include <string>

#include "upkeep/chore.hpp"

namespace drover::engine {
namespace {

// The queues that workers serve, and those with jobs.
std::set<std::string> known_queues(const State& state) {
  std::set<std::string> out;
  for (const auto& [name, queue] : state.accounts.queues()) out.insert(name);
  for (const auto& [id, worker] : state.workers)
    out.insert(worker.row.queues.begin(), worker.row.queues.end());
  return out;
}

// The ready keys of one queue after the other are read anew, so that rows which were changed by hand are
// noticed without a burst of reading.
class Rescan final : public Chore {
 public:
  void begin_term(SteadyTime now) override {
    next_ = now;
    started_ = false;
  }
  [[nodiscard]] SteadyTime due(const Parts& parts) const override {
    return started_ ? next_ : next_ + parts.options.rescan;
  }
  void run(Parts& parts) override {
    started_ = true;
    next_ = parts.clock.steady() + parts.options.rescan;
    const std::set<std::string> known = known_queues(parts.state);
    auto queue = known.upper_bound(last_);
    if (queue == known.end()) queue = known.begin();
    if (queue == known.end()) return;
    last_ = *queue;
    parts.to_rescan.insert(last_);
  }

 private:
  SteadyTime next_{};
  bool started_ = false;
  std::string last_;
};

}  // namespace

std::unique_ptr<Chore> make_rescan() {
  return std::make_unique<Rescan>();
}

}  // namespace drover::engine
