#include <optional>
#include <string>

#include "upkeep/chore.hpp"

namespace drover::engine {
namespace {

// Of the queues that workers serve, and those with jobs, the next by name. Not a list of them all, which may
// be long.
std::optional<std::string> next_queue(const State& state, const std::string& after) {
  const auto counted = state.accounts.queues().upper_bound(after);
  const std::string* next = counted == state.accounts.queues().end() ? nullptr : &counted->first;
  for (const auto& [id, worker] : state.workers) {
    for (const std::string& queue : worker.row.queues) {
      if (queue > after && (next == nullptr || queue < *next)) next = &queue;
    }
  }
  return next == nullptr ? std::nullopt : std::optional(*next);
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
    auto queue = next_queue(parts.state, last_);
    if (!queue) queue = next_queue(parts.state, "");
    if (!queue) return;
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
