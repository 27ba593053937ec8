#include "changes/define.hpp"

namespace drover::engine {

using ports::SetPaused;

template <>
struct InEngine<SetPaused> {
  static void remember(Memory& memory, const SetPaused& set, const SetPaused::Answer&, SteadyTime) {
    memory.paused = set.paused;
  }
};
DROVER_IN_ENGINE(ports::SetPaused)

}  // namespace drover::engine
