#include "changes/define.hpp"

namespace drover::engine {

using ports::TouchWorkers;

template <>
struct InEngine<TouchWorkers> {
  static void remember(State& state, const TouchWorkers& touch, const TouchWorkers::Answer&, SteadyTime) {
    for (const auto& [id, seen] : touch.last_seen) {
      Worker* touched = state.worker(id);
      if (touched != nullptr && touched->unflushed_seen == seen) touched->unflushed_seen.reset();
    }
  }
};
DROVER_IN_ENGINE(ports::TouchWorkers)

}  // namespace drover::engine
