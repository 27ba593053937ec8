// Jobs whose machine broke under several at once run alone next: what a worker may be given, and what broke
// together.
#include <algorithm>

#include "engine_impl.hpp"

namespace drover::engine {
namespace {

// An attempt of the same worker that broke at most so long ago, or a lease's term, broke with this one: a
// worker that is told to stop gives its attempts back one by one.
constexpr Seconds kSameBreak{60};

}  // namespace

core::Offer Engine::Impl::offer_to(const Worker& worker) {
  const auto shared = memory_.ready.best(worker.row.queues);
  const auto suspect = memory_.suspects.best(worker.row.queues);
  core::Asker asker;
  asker.leases = static_cast<int>(worker.jobs.size()) + worker.claiming;
  asker.alone = memory_.runs_alone(worker, clock_.steady());
  if (suspect && (!shared || suspect->second < shared->second)) {
    asker.kept = is_kept_free(worker, suspect->first, suspect->second);
  }
  const auto key = [](const auto& best) { return best ? std::optional(best->second) : std::nullopt; };
  return core::offer(asker, key(shared), key(suspect));
}

bool Engine::Impl::is_kept_free(const Worker& worker, const std::string& queue, core::ReadyKey suspect) {
  const SteadyTime now = clock_.steady();
  auto& [first, since] = waiting_suspects_.try_emplace(queue, suspect, now).first->second;
  if (first != suspect) {
    first = suspect;
    since = now;
  }
  if (now - since < core::kSuspectPatience) return false;
  std::vector<core::Candidate> candidates;
  for (const auto& [id, other] : memory_.workers) {
    const auto& queues = other.row.queues;
    const bool serves = std::find(queues.begin(), queues.end(), queue) != queues.end();
    const bool heard = other.heard && now - *other.heard < memory_.lease_term();
    if (!serves || !heard || other.row.state != core::WorkerState::active) continue;
    candidates.push_back(
        {id, static_cast<int>(other.jobs.size()) + other.claiming, memory_.runs_alone(other, now)});
  }
  return core::keeps_free(candidates) == worker.row.id;
}

Break Engine::Impl::break_of(const Lease& lease) const {
  const auto owner = memory_.workers.find(lease.attempt.worker);
  const bool beside = owner != memory_.workers.end() && owner->second.jobs.size() > 1;
  const bool before = lease.neighbour_broke &&
                      clock_.steady() - *lease.neighbour_broke < std::max(kSameBreak, memory_.lease_term());
  return Break{beside || before};
}

void Engine::Impl::tell_neighbours(const Lease& broken) {
  const Worker* owner = memory_.worker(broken.attempt.worker);
  if (owner == nullptr) return;
  for (const JobNumber job : owner->jobs) {
    if (job != broken.attempt.job) memory_.lease(job)->neighbour_broke = clock_.steady();
  }
}

bool Engine::Impl::many_are_silent() const {
  int fleet = 0;
  int silent = 0;
  for (const auto& [id, worker] : memory_.workers) {
    if (!worker.row.registered || worker.row.state != core::WorkerState::active) continue;
    ++fleet;
    const SteadyTime heard = worker.heard.value_or(led_since_);
    // One whose attempts are next is as silent as one whose attempts have just expired.
    if (clock_.steady() - heard >= memory_.lease_term() / 2) ++silent;
  }
  return silent > core::credible_loss(fleet, memory_.tunables);
}

}  // namespace drover::engine
