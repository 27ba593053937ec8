#include "changes/define.hpp"

namespace drover::engine {

using ports::InsertLaunch;

template <>
struct InEngine<InsertLaunch> {
  // Planned before a pause, it may come after it.
  static Status admit(const State& state, const InsertLaunch&) {
    if (state.paused) return Error{Errc::conflict, "the scheduler is paused"};
    return Ok{};
  }
  static void remember(State&, const InsertLaunch&, const InsertLaunch::Answer&, SteadyTime) {}
};
DROVER_IN_ENGINE(ports::InsertLaunch)

}  // namespace drover::engine
