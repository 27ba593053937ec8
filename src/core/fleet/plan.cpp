#include "drover/core/fleet/plan.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "names.hpp"
#include "steps.hpp"

namespace drover::core {
namespace {

void add(Plan& plan, Part part);

}  // namespace

Plan plan(const Observation& seen) {
  Plan out;
  out.memory = seen.memory;
  out.next_wake = Seconds{seen.tunables.reconcile_interval_s};
  if (!seen.leading) {
    out.notes.push_back(Note{{}, NoteKind::standby, "this daemon does not lead", {}, {}, {}});
    return out;
  }
  if (!seen.listing) {  // without a listing nothing is decided, and no absence is counted
    out.notes.push_back(Note{{}, NoteKind::no_cloud, {}, {}, {}, seen.listing_error});
    return out;
  }
  const Look look(seen);
  PlannerMemory memory = remember(look);
  Sightings sightings = compare_with_listing(look, memory);
  const bool frozen = !sightings.frozen.empty();
  const Classified workers = classify_workers(look, memory, sightings);
  Endings endings = end_workers(look, workers, sightings);
  Resolved launches = resolve_launches(look, memory, frozen, measure_demand(look, workers));
  Orphans orphans = frozen ? Orphans{{}, memory.unknown} : end_orphans(look, memory);
  Part shrinking = frozen ? Part{} : scale_in(look, workers);
  Growth growth = scale_out(look, sightings.frozen, launches.asked_for, std::move(launches.demand));

  memory.absent = std::move(sightings.absent);
  memory.listed = std::move(sightings.listed);
  memory.unknown = std::move(orphans.unknown);
  distrust(memory, endings.failed);

  add(out, std::move(endings.part));
  add(out, std::move(sightings.part));
  add(out, std::move(launches.part));
  add(out, std::move(orphans.part));
  add(out, std::move(shrinking));
  add(out, std::move(growth.part));
  add(out, block_pools(look, memory));
  for (const auto& [name, pool] : growth.demand) out.pools.push_back(pool.figures);
  out.frozen = std::move(sightings.frozen);
  out.memory = std::move(memory);
  return out;
}

namespace {

constexpr Names<NoteKind, 10> kNoteKinds{{"standby", "no_cloud", "frozen", "paused", "blocked", "no_capacity",
                                          "refused", "at_max", "budget", "retry"}};

void add(Plan& plan, Part part) {
  std::move(part.actions.begin(), part.actions.end(), std::back_inserter(plan.actions));
  std::move(part.notes.begin(), part.notes.end(), std::back_inserter(plan.notes));
  if (part.wake) plan.next_wake = std::min(plan.next_wake, std::chrono::ceil<Millis>(*part.wake));
}

}  // namespace

std::string_view to_string(NoteKind kind) {
  return kNoteKinds.of(kind);
}

Seconds silence_allowed(const Tunables& tunables) {
  return Seconds{std::max(tunables.lease_s, 3 * tunables.heartbeat_interval_s)};
}

}  // namespace drover::core
