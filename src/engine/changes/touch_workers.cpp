#include "changes/define.hpp"

namespace drover::engine {

using ports::TouchWorkers;

template <>
struct InEngine<TouchWorkers> {
  static void remember(Memory& memory, const TouchWorkers& touch, const TouchWorkers::Answer&, SteadyTime) {
    for (const auto& [id, seen] : touch.last_seen) {
      Worker* touched = memory.worker(id);
      if (touched != nullptr && touched->unflushed_seen == seen) touched->unflushed_seen.reset();
    }
  }
};
DROVER_IN_ENGINE(ports::TouchWorkers)

}  // namespace drover::engine
