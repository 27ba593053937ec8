#include <utility>

#include "changes/calls.hpp"
#include "changes/define.hpp"
#include "leases.hpp"

namespace drover::engine {

using ports::PutArtifact;

template <>
struct InEngine<PutArtifact> {
  static void remember(State& state, const PutArtifact& put, const PutArtifact::Answer&, SteadyTime) {
    if (put.name != ports::kCheckpointName) return;
    if (Lease* held = state.lease(put.job)) {
      held->attempt.has_checkpoint = true;
      held->attempt.checkpoint_attempt = put.attempt;
    }
  }
};
DROVER_IN_ENGINE(ports::PutArtifact)

void put_artifact(Parts& parts, Place place, const WorkerAuth& auth, ports::PutArtifact put,
                  const Token& token, const Done<Ok>& done) {
  const AttemptRef attempt{put.job, put.attempt, token};
  check_attempt(parts, auth, attempt, [&](const Result<ports::OpenAttempt>& open) {
    if (!open.ok()) {
      done(open.error());
      return;
    }
    put.token_hash = token.hash();
    put.now = parts.clock.wall();
    parts.pipeline.add(
        at(std::move(place),
           work_of<PutArtifact>(std::move(put), [done](const Result<PutArtifact::Answer>& kept) {
             done(kept.ok() ? Result<Ok>(Ok{}) : Result<Ok>(kept.error()));
           })));
  });
}

}  // namespace drover::engine
