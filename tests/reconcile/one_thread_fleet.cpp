#include "one_thread_fleet.hpp"

#include <utility>

namespace drover::reconcile::testing {
namespace {

template <class T>
Result<T> answer_in(const engine::testing::Answer<T>& answer) {
  if (*answer) return std::move(**answer);
  return Error{Errc::timeout, "the engine did not answer in time"};
}

}  // namespace

ports::Settled OneThreadFleet::apply_any(ports::Change change) {
  return std::visit(
      [this]<class C>(const C& specific) {
        const auto answer = engine_.apply(specific);
        engine_.settle();
        return ports::settled<C>(answer_in(answer));
      },
      change);
}

std::vector<Status> OneThreadFleet::lose_workers(const std::vector<LostWorker>& lost) {
  std::vector<engine::testing::Answer<Ok>> answers;
  for (const LostWorker& one : lost)
    answers.push_back(engine_.lose_worker(one.worker, one.outcome, one.reason, one.with_many));
  engine_.settle();
  std::vector<Status> out;
  for (const auto& answer : answers) out.push_back(answer_in(answer));
  return out;
}

Result<ports::FleetSnapshot> PlannedFleet::fleet() {
  ++snapshots;
  if (snapshot_fails_at > 0 && snapshots >= snapshot_fails_at)
    return Error{Errc::unavailable, "the store is away"};
  return real_.fleet();
}

ports::Settled PlannedFleet::apply_any(ports::Change change) {
  const std::string_view name = ports::name_of(change);
  let_happen(before, name);
  ports::Settled settled = real_.apply_any(std::move(change));
  let_happen(after, name);
  return settled;
}

void PlannedFleet::let_happen(std::optional<Happening>& what, std::string_view change) {
  if (!what || what->change != change) return;
  const Happening now = *std::exchange(what, std::nullopt);
  now.happens();
}

}  // namespace drover::reconcile::testing
