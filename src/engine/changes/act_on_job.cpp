#include <utility>

#include "changes/define.hpp"
#include "engine_impl.hpp"

namespace drover::engine {

using ports::ActOnJob;

template <>
struct InEngine<ActOnJob> {
  static void remember(Memory& memory, const ActOnJob& act, const ActOnJob::Answer& done, SteadyTime) {
    if (!done.changed) return;
    if (Lease* held = memory.lease(act.job)) {
      if (done.wanted) held->attempt.wanted = *done.wanted;
      return;
    }
    if (done.was_ready) {
      (done.suspect ? memory.suspects : memory.ready).remove(done.queue, done.key);
      --memory.queues[done.queue].ready;
    }
    if (done.after == core::JobState::queued) {
      memory.queued_again({done.queue, done.key, done.suspect}, done.wake_at);
    }
  }
};
DROVER_IN_ENGINE(ports::ActOnJob)

void Engine::act(ports::ActOnJob act, Done<ActAnswer> done) {
  auto refuse = refuse_by(done);
  auto told = [done = std::move(done)](const Result<ActOnJob::Answer>& acted) {
    if (acted) {
      done(ActAnswer{acted->changed, acted->after});
    } else {
      done(acted.error());
    }
  };
  impl_->post([this, act = std::move(act),
               told = std::move(told)] { impl_->committer_.add(work_of<ActOnJob>(act, told)); },
              std::move(refuse));
}

}  // namespace drover::engine
