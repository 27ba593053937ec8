#include "suspects.hpp"

#include <algorithm>

namespace drover::engine {
namespace {

// Two attempts of a worker broke together when at most this long, or a lease's term, lies between them: a
// worker that is told to stop gives its attempts back one by one.
constexpr Seconds kSameBreak{60};

bool is_kept_free(Parts& parts, const Worker& worker, const std::string& queue, core::ReadyKey suspect) {
  const State& state = parts.state;
  const SteadyTime now = parts.clock.steady();
  auto& [first, since] = parts.waiting_suspects.try_emplace(queue, suspect, now).first->second;
  if (first != suspect) {
    first = suspect;
    since = now;
  }
  if (now - since < core::kSuspectPatience) return false;
  std::vector<core::Candidate> candidates;
  for (const auto& [id, other] : state.workers) {
    const auto& queues = other.row.queues;
    const bool serves = std::find(queues.begin(), queues.end(), queue) != queues.end();
    const bool heard = other.heard && now - *other.heard < state.lease_term();
    if (!serves || !heard || other.row.state != core::WorkerState::active) continue;
    candidates.push_back({id, other.busy(), state.runs_alone(other, now)});
  }
  return core::keeps_free(candidates) == worker.row.id;
}

}  // namespace

core::Offer offer_to(Parts& parts, const Worker& worker) {
  const State& state = parts.state;
  const auto shared = state.ready.best(worker.row.queues);
  const auto suspect = state.suspects.best(worker.row.queues);
  core::Asker asker;
  asker.leases = worker.busy();
  asker.alone = state.runs_alone(worker, parts.clock.steady());
  if (suspect && (!shared || suspect->second < shared->second)) {
    asker.kept = is_kept_free(parts, worker, suspect->first, suspect->second);
  }
  const auto key = [](const auto& best) { return best ? std::optional(best->second) : std::nullopt; };
  return core::offer(asker, key(shared), key(suspect));
}

Break break_of(Parts& parts, const Lease& lease) {
  const Worker* owner = parts.state.worker(lease.attempt.worker);
  const bool beside = owner != nullptr && owner->jobs.size() > 1;
  const SteadyTime::duration close = std::max<SteadyTime::duration>(kSameBreak, parts.state.lease_term());
  const bool before = lease.neighbour_broke && parts.clock.steady() - *lease.neighbour_broke < close;
  return Break{beside || before};
}

void tell_neighbours(Parts& parts, const Lease& broken) {
  const Worker* owner = parts.state.worker(broken.attempt.worker);
  if (owner == nullptr) return;
  for (const JobNumber job : owner->jobs) {
    if (job != broken.attempt.job) parts.state.lease(job)->neighbour_broke = parts.clock.steady();
  }
}

bool many_are_silent(const Parts& parts) {
  const State& state = parts.state;
  int fleet = 0;
  int silent = 0;
  for (const auto& [id, worker] : state.workers) {
    if (!worker.row.registered || worker.row.state != core::WorkerState::active) continue;
    ++fleet;
    const SteadyTime heard = worker.heard.value_or(parts.term.since());
    // Half a term is enough: a worker whose attempts are about to expire is as silent as one whose attempts
    // just did.
    if (parts.clock.steady() - heard >= state.lease_term() / 2) ++silent;
  }
  return silent > core::credible_loss(fleet, state.tunables);
}

}  // namespace drover::engine
