#include <utility>

#include "drover/ports/tokens.hpp"

#include "changes/define.hpp"
#include "engine_impl.hpp"

namespace drover::engine {

using ports::RegisterWorker;

template <>
struct InEngine<RegisterWorker> {
  static void remember(Memory& memory, const RegisterWorker&, const RegisterWorker::Answer& done,
                       SteadyTime now) {
    memory.put_worker(done.worker, now);
    if (Worker* registered = memory.worker(done.worker.id)) {
      registered->heard = now;
      registered->idle_since = now;
    }
  }
};
DROVER_IN_ENGINE(ports::RegisterWorker)

void Engine::register_worker(Registration registration, Done<Registered> done) {
  auto refuse = refuse_by(done);
  impl_->post([this, registration = std::move(registration),
               done = std::move(done)] { impl_->do_register(registration, done); },
              std::move(refuse));
}

void Engine::Impl::do_register(const Registration& registration, const Done<Registered>& done) {
  const Secret token =
      ports::worker_token(registration.bootstrap, registration.instance_id, registration.nonce);
  RegisterWorker change;
  change.instance_id = registration.instance_id;
  change.bootstrap_hash = sha256(registration.bootstrap.reveal());
  change.token_hash = sha256(token.reveal());
  change.nonce = registration.nonce;
  change.slots = registration.slots;
  change.capacity = registration.capacity;
  change.hostname = registration.hostname;
  change.version = registration.version;
  change.now = clock_.wall();
  auto told = [this, token, done](const Result<RegisterWorker::Answer>& registered) {
    if (!registered) {
      done(registered.error());
      return;
    }
    const ports::WorkerRow& row = registered->worker;
    done(Registered{row.id, token, row.pool_name, row.queues, row.slots,
                    memory_.tunables.heartbeat_interval_s, memory_.tunables.notice_poll_s});
  };
  committer_.add(work_of<RegisterWorker>(std::move(change), std::move(told)));
}

}  // namespace drover::engine
