#include "changes/define.hpp"

namespace drover::engine {

using ports::InsertLaunch;

template <>
struct InEngine<InsertLaunch> {
  // Planned before a pause, it may come after it.
  static Status admit(const Memory& memory, const InsertLaunch&) {
    if (memory.paused) return Error{Errc::conflict, "the scheduler is paused"};
    return Ok{};
  }
  static void remember(Memory&, const InsertLaunch&, const InsertLaunch::Answer&, SteadyTime) {}
};
DROVER_IN_ENGINE(ports::InsertLaunch)

}  // namespace drover::engine
