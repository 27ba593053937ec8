#include "changes/define.hpp"

namespace drover::engine {

using ports::WakeJobs;

template <>
struct InEngine<WakeJobs> {
  static void remember(State& state, const WakeJobs&, const WakeJobs::Answer& woken, SteadyTime) {
    for (const ports::ReadyJob& job : woken.ready) state.add_ready(job);
    state.next_wake = woken.next;
  }
};
DROVER_IN_ENGINE(ports::WakeJobs)

}  // namespace drover::engine
