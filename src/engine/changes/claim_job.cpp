#include "changes/define.hpp"

namespace drover::engine {

using ports::ClaimJob;

template <>
struct InEngine<ClaimJob> {
  static void remember(State& state, const ClaimJob&, const ClaimJob::Answer& claimed, SteadyTime now) {
    state.accounts.claimed(claimed.attempt.queue);
    state.open(claimed.attempt, now, claimed.attempt.alone);
  }
};
DROVER_IN_ENGINE(ports::ClaimJob)

}  // namespace drover::engine
