#include <utility>

#include "changes/define.hpp"
#include "engine_impl.hpp"

namespace drover::engine {

using ports::ClaimJob;

template <>
struct InEngine<ClaimJob> {
  static void remember(Memory& memory, const ClaimJob&, const ClaimJob::Answer& claimed, SteadyTime now) {
    --memory.queues[claimed.attempt.queue].ready;
    memory.open(claimed.attempt, now, claimed.attempt.alone);
  }
};
DROVER_IN_ENGINE(ports::ClaimJob)

// Asked when the batch is formed, which may be later than the match: a claim waits for another change of its
// job, and meanwhile the scheduler may have been paused, or the worker cordoned. Then the job stays with the
// ready ones.
Result<std::optional<ClaimJob>> Engine::Impl::make_claim(const ClaimJob& claim, const ports::ReadyJob& job) {
  const Worker* worker = memory_.worker(claim.worker);
  // A suspect's claim is made for a worker that has nothing, and of which nothing else is claimed; nothing
  // else is claimed before this is done.
  if (!memory_.paused && worker != nullptr && worker->row.state == core::WorkerState::active &&
      (!job.suspect || worker->jobs.empty())) {
    return std::optional(claim);
  }
  (job.suspect ? memory_.suspects : memory_.ready).add(job.queue, job.key);
  return Error{Errc::conflict,
               memory_.paused ? "the scheduler is paused" : "the worker may not take it any more"};
}

}  // namespace drover::engine
