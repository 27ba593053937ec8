#include "drover/core/worker/registration.hpp"

namespace drover::core {

RegistrationDecision decide_registration(const std::optional<RegistrationBrief>& worker,
                                         std::string_view nonce) {
  using Kind = RegistrationDecision::Kind;
  if (!worker) return {};
  const bool gone = worker->state == WorkerState::gone;
  if (worker->registered) {
    if (worker->nonce == nonce && !gone) return {Kind::repeat, worker->state, {}};
    return {Kind::refuse, worker->state, "has registered before"};
  }
  if (gone || worker->state == WorkerState::terminating) {
    return {Kind::refuse, worker->state, "is " + std::string(to_string(worker->state))};
  }
  // A worker that was drained while it started stays draining.
  const bool starting = worker->state == WorkerState::starting;
  return {Kind::accept, starting ? WorkerState::active : worker->state, {}};
}

}  // namespace drover::core
