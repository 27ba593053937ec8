#include "drover/ports/tokens.hpp"

#include "changes/define.hpp"

namespace drover::memstore {

using ports::ClaimJob;

template <>
struct InMemory<ClaimJob> {
  static Result<ClaimJob::Answer> carry_out(Data& data, const ClaimJob& claim) {
    const auto refuse = [&](const std::string& why) {
      return conflict("cannot claim job " + std::to_string(claim.job.value) + ": " + why);
    };
    const Job* job = data.job(claim.job);
    if (job == nullptr || core::is_final(job->state)) return refuse("it is not alive");
    if (data.lease(claim.job) != nullptr) return refuse("it runs already");
    if (job->state != core::JobState::queued) return refuse("it is " + std::string(to_string(job->state)));
    if (job->wake_at) return refuse("its time has not come");
    const auto worker = data.workers.find(claim.worker);
    if (worker == data.workers.end()) return refuse("there is no such worker");
    if (worker->second.state != core::WorkerState::active) {
      return refuse("the worker is " + std::string(to_string(worker->second.state)));
    }
    Lease lease;
    lease.attempt = job->attempts + 1;
    lease.worker = claim.worker;
    lease.nonce = claim.nonce;
    lease.token_hash =
        sha256(ports::attempt_token(claim.worker_token, claim.nonce, claim.job, lease.attempt).reveal());
    lease.started = claim.started;
    data.leases.emplace(claim.job, std::move(lease));
    data.happened("claimed", claim.job.value);
    return ClaimJob::Answer{data.open_attempt(claim.job)};
  }
};
DROVER_IN_MEMORY(ports::ClaimJob)

}  // namespace drover::memstore
