#include <algorithm>
#include <vector>

#include "changes/define.hpp"

namespace drover::memstore {

using ports::WakeJobs;

template <>
struct InMemory<WakeJobs> {
  static Result<WakeJobs::Answer> carry_out(Data& data, const WakeJobs& wake) {
    std::vector<std::pair<WallTime, JobNumber>> asleep;
    for (const auto& [number, job] : data.jobs) {
      if (job.state == core::JobState::queued && job.wake_at) asleep.emplace_back(*job.wake_at, number);
    }
    std::ranges::sort(asleep);
    WakeJobs::Answer out;
    for (const auto& [at, number] : asleep) {
      if (at > wake.now || std::cmp_greater_equal(out.ready.size(), wake.limit)) {
        out.next = at;
        break;
      }
      Job& job = data.jobs.at(number);
      job.wake_at.reset();
      out.ready.push_back({job.spec.queue, {-job.spec.priority, number.value}, job.alone > Seconds{0}});
    }
    return out;
  }
};
DROVER_IN_MEMORY(ports::WakeJobs)

}  // namespace drover::memstore
