#include <utility>

#include "drover/ports/tokens.hpp"

#include "changes/calls.hpp"
#include "changes/define.hpp"

namespace drover::engine {

using ports::RegisterWorker;

template <>
struct InEngine<RegisterWorker> {
  static void remember(State& state, const RegisterWorker&, const RegisterWorker::Answer& done,
                       SteadyTime now) {
    state.put_worker(done.worker, now);
    if (Worker* registered = state.worker(done.worker.id)) {
      registered->heard = now;
      registered->idle_since = now;
    }
  }
};
DROVER_IN_ENGINE(ports::RegisterWorker)

HashedRegistration::HashedRegistration(const Registration& registration)
    : token(ports::worker_token(registration.bootstrap, registration.instance_id, registration.nonce)) {
  change.instance_id = registration.instance_id;
  change.bootstrap_hash = sha256(registration.bootstrap.reveal());
  change.token_hash = sha256(token.reveal());
  change.nonce = registration.nonce;
  change.slots = registration.slots;
  change.capacity = registration.capacity;
  change.hostname = registration.hostname;
  change.version = registration.version;
}

void register_worker(Parts& parts, Place place, HashedRegistration registration,
                     const Done<Registered>& done) {
  registration.change.now = parts.clock.wall();
  auto told = [&parts, token = std::move(registration.token),
               done](const Result<RegisterWorker::Answer>& registered) {
    if (!registered.ok()) {
      done(registered.error());
      return;
    }
    const ports::WorkerRow& row = registered->worker;
    done(Registered{row.id, token, row.pool_name, row.queues, row.slots,
                    parts.state.tunables.heartbeat_interval_s, parts.state.tunables.notice_poll_s});
  };
  parts.pipeline.add(
      at(std::move(place), work_of<RegisterWorker>(std::move(registration.change), std::move(told))));
}

}  // namespace drover::engine
