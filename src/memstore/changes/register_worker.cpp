#include <algorithm>

#include "drover/core/worker/registration.hpp"

#include "changes/define.hpp"

namespace drover::memstore {

using ports::RegisterWorker;

template <>
struct InMemory<RegisterWorker> {
  static Result<RegisterWorker::Answer> carry_out(Data& data, const RegisterWorker& who) {
    const auto launch = std::ranges::find_if(
        data.launches, [&](const auto& entry) { return entry.second.bootstrap_hash == who.bootstrap_hash; });
    if (launch == data.launches.end()) return unauthenticated("no launch has this bootstrap token");
    ports::WorkerRow* worker = nullptr;  // the newest of the instance and the launch
    for (auto& [id, row] : data.workers) {
      if (row.launch == launch->first && row.instance_id == who.instance_id) worker = &row;
    }
    std::optional<core::RegistrationBrief> brief;
    if (worker != nullptr) brief = {worker->state, worker->registered.has_value(), worker->nonce};
    const core::RegistrationDecision decision = core::decide_registration(brief, who.nonce);
    using Kind = core::RegistrationDecision::Kind;
    switch (decision.kind) {
      case Kind::not_yet:
        return unavailable("the cloud has not reported instance " + who.instance_id + " for its launch yet",
                           2);
      case Kind::refuse:
        return conflict("instance " + who.instance_id + " " + decision.reason);
      case Kind::repeat:
        return RegisterWorker::Answer{data.worker_row(worker->id), false};
      case Kind::accept:
        break;
    }
    worker->token_hash = who.token_hash;
    worker->nonce = who.nonce;
    worker->slots = who.slots;
    worker->capacity = who.capacity;
    worker->hostname = who.hostname;
    worker->registered = worker->last_seen = who.now;
    worker->state = decision.to;
    data.versions[worker->id] = who.version;
    data.happened("worker_registered", worker->id.value);
    return RegisterWorker::Answer{data.worker_row(worker->id), true};
  }
};
DROVER_IN_MEMORY(ports::RegisterWorker)

}  // namespace drover::memstore
