#include <algorithm>
#include <vector>

#include "categories.hpp"

// A machine that the cloud lists is in the state that the cloud says. A machine that it does not list counts
// as gone only if this listing must have had it, several complete listings in a row lacked it, some time has
// passed, its worker is silent, and the cloud does not know its id either.
namespace drover::core {
namespace {

using Absent = std::vector<const FleetWorker*>;

Absent find_absent(const Look& look, const PlannerMemory& memory, Sightings& out);
void freeze_on_mass_absence(const Look& look, const Absent& absent, Sightings& out);
void judge_absent(const Look& look, const FleetWorker& worker, Sightings& out, LookUp& look_up);

}  // namespace

Sightings compare_with_listing(const Look& look, const PlannerMemory& memory) {
  Sightings out;
  out.absent = memory.absent;
  out.listed = memory.listed;
  const Absent absent = find_absent(look, memory, out);
  freeze_on_mass_absence(look, absent, out);
  if (!out.frozen.empty()) return out;
  LookUp look_up;
  for (const FleetWorker* worker : absent) judge_absent(look, *worker, out, look_up);
  if (!look_up.instance_ids.empty()) out.part.act(std::move(look_up));
  return out;
}

namespace {

Absent find_absent(const Look& look, const PlannerMemory& memory, Sightings& out) {
  Absent absent;
  for (const auto& [id, worker] : look.workers) {
    if (!look.judged(*worker)) continue;
    if (worker->state != WorkerState::terminating) ++out.fleet;
    const auto instance = look.listed.find(worker->instance_id);
    if (instance != look.listed.end()) {
      out.absent.erase(id);
      out.listed.insert(id);
      if (is_gone(instance->second->state)) out.ended[id] = {instance->second->state_reason, 0};
      continue;
    }
    // Stored after the listing was asked for, or too young for it: this listing need not have it.
    const bool young = !out.listed.contains(id) && age_of(look, memory, id) < kConsistencyWindow;
    if (worker->known_before && !young) absent.push_back(worker);
  }
  return absent;
}

void freeze_on_mass_absence(const Look& look, const Absent& absent, Sightings& out) {
  const auto missing = std::count_if(absent.begin(), absent.end(), [](const FleetWorker* worker) {
    return worker->state != WorkerState::terminating;
  });
  if (static_cast<double>(missing) <= look.credible_loss(out.fleet)) return;
  out.frozen = std::to_string(missing) + " of " + std::to_string(out.fleet) +
               " machines are absent from the cloud's listing at once; nothing is decided from that until "
               "they show again, or until freeze_min or freeze_share is raised";
  out.part.note({}, NoteKind::frozen, out.frozen);
}

bool heard_lately(const Look& look, const FleetWorker& worker) {
  return worker.silent_for && *worker.silent_for < Seconds{3 * look.seen.tunables.heartbeat_interval_s};
}

void judge_absent(const Look& look, const FleetWorker& worker, Sightings& out, LookUp& look_up) {
  const Tunables& tunables = look.seen.tunables;
  Absence& absence = out.absent[worker.id];
  if (absence.listings++ == 0) absence.since = look.seen.steady;
  const auto lasted = look.seen.steady - absence.since;
  const Seconds needed{tunables.missing_s};
  if (absence.listings < tunables.missing_listings) return;
  if (lasted < needed) return out.part.wake_in(needed - lasted);
  if (heard_lately(look, worker)) return;
  const auto answer = look.seen.looked_up.find(worker.instance_id);
  if (answer == look.seen.looked_up.end()) {
    look_up.instance_ids.push_back(worker.instance_id);
  } else if (!answer->second) {
    out.ended[worker.id] = {{}, absence.listings};
  } else if (is_gone(answer->second->state)) {
    out.ended[worker.id] = {answer->second->state_reason, 0};
  } else {
    out.absent.erase(worker.id);  // it is there; only the listing by tag lacks it
  }
}

}  // namespace

}  // namespace drover::core
