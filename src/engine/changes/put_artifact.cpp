#include <utility>

#include "changes/define.hpp"
#include "engine_impl.hpp"

namespace drover::engine {

using ports::PutArtifact;

template <>
struct InEngine<PutArtifact> {
  static void remember(Memory& memory, const PutArtifact& put, const PutArtifact::Answer&, SteadyTime) {
    if (put.name != ports::kCheckpointName) return;
    if (Lease* held = memory.lease(put.job)) {
      held->attempt.has_checkpoint = true;
      held->attempt.checkpoint_attempt = put.attempt;
    }
  }
};
DROVER_IN_ENGINE(ports::PutArtifact)

void Engine::put_artifact(WorkerAuth auth, AttemptRef attempt, std::string name, std::int64_t size,
                          Sha256 sha256, Done<Ok> done) {
  auto refuse = refuse_by(done);
  impl_->post(
      [this, auth = std::move(auth), attempt = std::move(attempt), name = std::move(name), size, sha256,
       done = std::move(done)] { impl_->do_put_artifact(auth, attempt, name, size, sha256, done); },
      std::move(refuse));
}

void Engine::Impl::do_put_artifact(const WorkerAuth& auth, const AttemptRef& attempt, const std::string& name,
                                   std::int64_t size, const Sha256& hash, const Done<Ok>& done) {
  do_check_attempt(auth, attempt, [=, this](const Result<ports::OpenAttempt>& open) {
    if (!open) {
      done(open.error());
      return;
    }
    PutArtifact put{attempt.job, attempt.attempt, sha256(attempt.token.reveal()), name, size,
                    hash,        clock_.wall()};
    committer_.add(work_of<PutArtifact>(std::move(put), [done](const Result<PutArtifact::Answer>& kept) {
      done(kept ? Result<Ok>(Ok{}) : Result<Ok>(kept.error()));
    }));
  });
}

}  // namespace drover::engine
