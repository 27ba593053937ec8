#include <algorithm>

#include "drover/core/classify.hpp"

#include "plan_context.hpp"

namespace drover::core {
namespace {

void end_machine(Context& c, const FleetWorker& worker, std::string_view state_reason,
                 const std::string& how) {
  const MachineVerdict verdict = classify_end({worker.state, worker.notice_until.has_value(), state_reason});
  c.leaving.insert(worker.id);
  // Absence says nothing about the image: of a machine listed as ended the cloud knew, of this one it does
  // not.
  if (!worker.registered && verdict.counts_against_image && how.empty()) distrust(c, worker);
  const std::string reason = how.empty() ? verdict.reason : verdict.reason + "; " + how;
  if (worker.state == WorkerState::terminating && worker.leases == 0) {
    c.act(MarkGone{worker.id, reason});
  } else {
    c.act(LoseWorker{worker.id, verdict.outcome, reason});
  }
}

// What the cloud lists speaks for itself; the rest of the judged workers come back as absent.
std::vector<const FleetWorker*> judge_listed(Context& c, int& fleet) {
  std::vector<const FleetWorker*> absent;
  PlannerMemory& memory = c.plan.memory;
  for (const auto& [id, worker] : c.workers) {
    if (!c.judged(*worker)) continue;
    if (worker->state != WorkerState::terminating) ++fleet;
    const auto instance = c.listed.find(worker->instance_id);
    if (instance != c.listed.end()) {
      memory.absent.erase(id);
      memory.listed.insert(id);
      if (is_gone(instance->second->state)) end_machine(c, *worker, instance->second->state_reason, {});
      continue;
    }
    // Stored after the listing was asked for, or too young for it: this listing need not have it.
    const bool young = !memory.listed.contains(id) && c.age(*worker) < kConsistencyWindow;
    if (worker->known_before && !young) absent.push_back(worker);
  }
  return absent;
}

void freeze_on_mass_absence(Context& c, const std::vector<const FleetWorker*>& absent, int fleet) {
  const auto missing = std::count_if(absent.begin(), absent.end(), [](const FleetWorker* worker) {
    return worker->state != WorkerState::terminating;
  });
  if (static_cast<double>(missing) <= c.credible_loss(fleet)) return;
  c.plan.frozen =
      std::to_string(missing) + " of " + std::to_string(fleet) +
      " machines are absent from the cloud's listing at once; nothing is decided from that until they "
      "show again, or until freeze_min or freeze_share is raised";
  c.note({}, NoteKind::frozen, c.plan.frozen);
}

// Losses that were not asked for, many in one look, are one event: nothing that a job of theirs did.
void mark_mass_loss(Context& c, int fleet) {
  std::vector<LoseWorker*> lost;
  for (Action& action : c.plan.actions) {
    auto* loss = std::get_if<LoseWorker>(&action);
    if (loss != nullptr && c.workers.at(loss->worker)->state == WorkerState::active) lost.push_back(loss);
  }
  if (static_cast<double>(lost.size()) <= c.credible_loss(fleet)) return;
  for (LoseWorker* loss : lost) loss->with_many = true;
}

bool heard_lately(const Context& c, const FleetWorker& worker) {
  return worker.silent_for && *worker.silent_for < Seconds{3 * c.seen.tunables.heartbeat_interval_s};
}

void judge_absent(Context& c, const FleetWorker& worker, std::vector<std::string>& look_up) {
  Absence& absence = c.plan.memory.absent[worker.id];
  if (absence.listings++ == 0) absence.since = c.seen.steady;
  const Seconds needed{c.seen.tunables.missing_s};
  if (absence.listings < c.seen.tunables.missing_listings || c.seen.steady - absence.since < needed) {
    if (absence.listings >= c.seen.tunables.missing_listings) c.wake_at(absence.since + needed);
    return;
  }
  if (heard_lately(c, worker)) return;
  const auto answer = c.seen.looked_up.find(worker.instance_id);
  if (answer == c.seen.looked_up.end()) {
    look_up.push_back(worker.instance_id);
  } else if (!answer->second) {
    end_machine(c, worker, {},
                "absent from " + std::to_string(absence.listings) + " listings and unknown by its id");
  } else if (is_gone(answer->second->state)) {
    end_machine(c, worker, answer->second->state_reason, {});
  } else {
    c.plan.memory.absent.erase(worker.id);  // it is there; only the listing by tag lacks it
  }
}

}  // namespace

void judge_workers(Context& c) {
  int fleet = 0;
  const auto absent = judge_listed(c, fleet);
  freeze_on_mass_absence(c, absent, fleet);
  std::vector<std::string> look_up;
  if (!c.frozen()) {
    for (const FleetWorker* worker : absent) judge_absent(c, *worker, look_up);
  }
  mark_mass_loss(c, fleet);
  if (!look_up.empty()) c.act(LookUp{std::move(look_up)});
}

}  // namespace drover::core
