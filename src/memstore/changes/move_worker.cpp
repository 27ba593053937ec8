#include "changes/define.hpp"

namespace drover::memstore {

using ports::MoveWorker;

template <>
struct InMemory<MoveWorker> {
  static Result<MoveWorker::Answer> carry_out(Data& data, const MoveWorker& of) {
    const auto found = data.workers.find(of.worker);
    if (found == data.workers.end())
      return not_found("there is no worker " + std::to_string(of.worker.value));
    ports::WorkerRow& row = found->second;
    const core::MoveDecision decision = core::decide_move(
        {row.state, row.registered.has_value(), data.is_leased(of.worker), row.notice_until.has_value()},
        of.move);
    using Kind = core::MoveDecision::Kind;
    if (decision.kind == Kind::refuse) {
      return conflict("cannot change worker " + std::to_string(of.worker.value) + " (" +
                      std::string(to_string(of.move)) + "): " + decision.reason);
    }
    if (decision.kind == Kind::move) {
      row.state = decision.to;
      row.reason = of.reason;
      row.ended = decision.to == core::WorkerState::gone ? std::optional(of.now) : std::nullopt;
      if (!row.notice_until) row.notice_until = of.notice_until;
      data.happened(
          "worker_" + std::string(of.move == core::WorkerMove::notice ? "noticed" : to_string(decision.to)),
          of.worker.value);
    }
    return MoveWorker::Answer{data.worker_row(of.worker), decision.kind == Kind::move};
  }
};
DROVER_IN_MEMORY(ports::MoveWorker)

}  // namespace drover::memstore
