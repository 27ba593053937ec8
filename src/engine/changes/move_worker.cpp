#include "changes/define.hpp"

namespace drover::engine {

using ports::MoveWorker;

template <>
struct InEngine<MoveWorker> {
  static void remember(Memory& memory, const MoveWorker&, const MoveWorker::Answer& done, SteadyTime now) {
    memory.put_worker(done.worker, now);
  }
};
DROVER_IN_ENGINE(ports::MoveWorker)

}  // namespace drover::engine
