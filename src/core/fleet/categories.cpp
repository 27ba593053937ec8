#include "categories.hpp"

#include <algorithm>

namespace drover::core {
namespace {

WorkerFacts facts_of(const Look& look, const PlannerMemory& memory, const Sightings& sightings,
                     const FleetWorker& worker);
Seconds silence_borne(const Look& look, const std::map<WorkerId, WorkerFacts>& workers);

}  // namespace

Classified classify_workers(const Look& look, const PlannerMemory& memory, const Sightings& sightings) {
  Classified out;
  for (const auto& [id, worker] : look.workers) out.facts[id] = facts_of(look, memory, sightings, *worker);
  out.borne = silence_borne(look, out.facts);
  for (auto& [id, of] : out.facts) {
    of.silence_borne = out.borne;
    out.category[id] = category_of(of);
  }
  return out;
}

namespace {

WorkerFacts facts_of(const Look& look, const PlannerMemory& memory, const Sightings& sightings,
                     const FleetWorker& worker) {
  WorkerFacts of;
  of.state = worker.state;
  of.registered = worker.registered;
  of.leases = worker.leases;
  of.idle_for = worker.idle_for;
  of.asked_ago = worker.asked_ago;
  of.notice_until = worker.notice_until;
  of.managed = look.managed(worker);
  of.ended = sightings.ended.contains(worker.id);
  of.age = age_of(look, memory, worker.id);
  of.silence = worker.silent_for ? SteadyTime::duration{*worker.silent_for} : of.age;
  of.silence_allowed = of.silence_borne = look.silence_allowed();
  const auto pool = look.pools.find(worker.pool);
  if (pool != look.pools.end()) of.registration_timeout = pool->second.view->spec.registration_timeout;
  of.now = look.seen.now;
  return of;
}

// How long a silent worker is kept. After one lease term its attempts are back in the queue, and giving its
// machine up lets another take its place although the pool is at its max. When more workers than
// credible_loss() fall silent together, the likelier cause is our own network: they still work, and we would
// only launch replacements. So they are kept for five minutes, or two lease terms if that is longer.
Seconds silence_borne(const Look& look, const std::map<WorkerId, WorkerFacts>& workers) {
  int fleet = 0;
  int silent = 0;
  for (const auto& [id, of] : workers) {
    if (!of.registered || of.state != WorkerState::active || !of.managed) continue;
    ++fleet;
    if (is_silent(of)) ++silent;
  }
  const Seconds allowed = look.silence_allowed();
  return static_cast<double>(silent) <= look.credible_loss(fleet) ? allowed
                                                                  : std::max(kSilentMin, 2 * allowed);
}

}  // namespace

}  // namespace drover::core
