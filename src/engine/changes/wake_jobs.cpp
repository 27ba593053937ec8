#include "changes/define.hpp"

namespace drover::engine {

using ports::WakeJobs;

template <>
struct InEngine<WakeJobs> {
  static void remember(Memory& memory, const WakeJobs&, const WakeJobs::Answer& woken, SteadyTime) {
    for (const ports::ReadyJob& job : woken.ready) memory.add_ready(job);
    memory.next_wake = woken.next;
  }
};
DROVER_IN_ENGINE(ports::WakeJobs)

}  // namespace drover::engine
