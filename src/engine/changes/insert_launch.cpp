#include "changes/define.hpp"

namespace drover::engine {

using ports::InsertLaunch;

template <>
struct InEngine<InsertLaunch> {
  // A launch that was planned before a pause, an edit of the pool or a new term may reach the engine after
  // it.
  static Status admit(const State& state, const InsertLaunch& insert) {
    if (state.paused) return conflict("the scheduler is paused");
    if (insert.epoch != 0 && insert.epoch != state.epoch)
      return conflict("the launch was planned in an earlier term of leadership");
    const auto pool = state.pools.find(insert.pool);
    const bool edited = pool != state.pools.end() && pool->second.version != insert.pool_version;
    if (insert.pool_version != 0 && edited)
      return conflict("the pool was changed since the launch was planned");
    return Ok{};
  }
  static void remember(State&, const InsertLaunch&, const InsertLaunch::Answer&, SteadyTime) {}
};
DROVER_IN_ENGINE(ports::InsertLaunch)

}  // namespace drover::engine
