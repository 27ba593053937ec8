#include "changes/define.hpp"

namespace drover::engine {

using ports::MoveWorker;

template <>
struct InEngine<MoveWorker> {
  static void remember(State& state, const MoveWorker&, const MoveWorker::Answer& done, SteadyTime now) {
    state.put_worker(done.worker, now);
  }
};
DROVER_IN_ENGINE(ports::MoveWorker)

}  // namespace drover::engine
