#include "changes/define.hpp"

namespace drover::engine {

using ports::SetPaused;

template <>
struct InEngine<SetPaused> {
  static void remember(State& state, const SetPaused& set, const SetPaused::Answer&, SteadyTime) {
    state.paused = set.paused;
  }
};
DROVER_IN_ENGINE(ports::SetPaused)

}  // namespace drover::engine
