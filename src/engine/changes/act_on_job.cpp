#include "changes/define.hpp"

namespace drover::engine {

using ports::ActOnJob;

template <>
struct InEngine<ActOnJob> {
  static void remember(State& state, const ActOnJob& act, const ActOnJob::Answer& done, SteadyTime) {
    if (!done.changed) return;
    if (Lease* held = state.lease(act.job)) {
      if (done.wanted) held->attempt.wanted = *done.wanted;
      return;
    }
    if (done.was_ready) {
      state.index(done.suspect).remove(done.queue, done.key);
      state.accounts.no_longer_ready(done.queue);
    }
    if (done.after == core::JobState::queued) {
      state.queued_again({done.queue, done.key, done.suspect}, done.wake_at);
    }
  }
};
DROVER_IN_ENGINE(ports::ActOnJob)

}  // namespace drover::engine
