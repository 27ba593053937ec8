#include "changes/define.hpp"

namespace drover::engine {

using ports::RecordLaunch;

template <>
struct InEngine<RecordLaunch> {
  static void remember(State& state, const RecordLaunch&, const RecordLaunch::Answer& done, SteadyTime now) {
    for (const ports::WorkerRow& row : done.workers) state.put_worker(row, now);
  }
};
DROVER_IN_ENGINE(ports::RecordLaunch)

}  // namespace drover::engine
