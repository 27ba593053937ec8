#include <algorithm>

#include "drover/core/worker/machine_end.hpp"

#include "steps.hpp"

namespace drover::core {
namespace {

void end_machine(const FleetWorker& worker, const SeenEnd& end, Endings& out);
void mark_mass_loss(const Look& look, int fleet, Part& part);
void end_as_asked(const Look& look, const FleetWorker& worker, Part& part);
void end_present(const Look& look, const Classified& workers, const FleetWorker& worker, Category category,
                 Endings& out);

}  // namespace

Endings end_workers(const Look& look, const Classified& workers, const Sightings& sightings) {
  Endings out;
  for (const auto& [id, category] : workers.category) {
    const FleetWorker& worker = *look.workers.at(id);
    if (category == Category::ended) {
      end_machine(worker, sightings.ended.at(id), out);
    } else if (category == Category::asked_to_end) {
      end_as_asked(look, worker, out.part);
    } else if (sightings.frozen.empty() && look.managed(worker)) {
      end_present(look, workers, worker, category, out);
    }
  }
  mark_mass_loss(look, sightings.fleet, out.part);
  return out;
}

namespace {

void end_machine(const FleetWorker& worker, const SeenEnd& end, Endings& out) {
  const MachineVerdict verdict =
      classify_end({worker.state, worker.notice_until.has_value(), end.state_reason});
  const bool told = end.absent_listings == 0;
  // Only a machine of which the cloud says that it ended counts against the image: one that is merely absent
  // may never have started.
  if (!worker.registered && verdict.counts_against_image && told) out.failed.push_back(&worker);
  const std::string how =
      told ? std::string()
           : "; absent from " + std::to_string(end.absent_listings) + " listings and unknown by its id";
  if (worker.state == WorkerState::terminating && worker.leases == 0) {
    out.part.act(MarkGone{worker.id, verdict.reason + how});
  } else {
    out.part.act(LoseWorker{worker.id, verdict.outcome, verdict.reason + how});
  }
}

// When more active workers are lost in one plan than credible_loss() allows, they have one cause in common,
// which is not a job of theirs. with_many keeps their jobs from being charged.
void mark_mass_loss(const Look& look, int fleet, Part& part) {
  std::vector<LoseWorker*> lost;
  for (Action& action : part.actions) {
    auto* loss = std::get_if<LoseWorker>(&action);
    if (loss != nullptr && look.workers.at(loss->worker)->state == WorkerState::active) lost.push_back(loss);
  }
  if (static_cast<double>(lost.size()) <= look.credible_loss(fleet)) return;
  for (LoseWorker* loss : lost) loss->with_many = true;
}

void end_as_asked(const Look& look, const FleetWorker& worker, Part& part) {
  if (look.managed(worker)) {
    part.terminate(look, worker.id, worker.instance_id, false, "asked to end, not yet seen gone");
    return;
  }
  // An auto-scaling group ends its machine itself, and the listing will show that.
  if (look.judged(worker) || worker.leases > 0) return;
  part.act(MarkGone{worker.id, "asked to end; its machine is not ours"});
}

std::string in_seconds(SteadyTime::duration time) {
  return std::to_string(std::chrono::duration_cast<Seconds>(time).count()) + " s";
}

// Decides about a worker whose machine exists. Not called while the fleet is frozen.
void end_present(const Look& look, const Classified& workers, const FleetWorker& worker, Category category,
                 Endings& out) {
  const auto terminate = [&](std::string reason) {
    out.part.terminate(look, worker.id, worker.instance_id, true, std::move(reason));
  };
  switch (category) {
    case Category::taken_back:
      return terminate("still there five minutes after its interruption notice's time");
    case Category::noticed:
      return out.part.wake_in(*worker.notice_until + kNoticeGrace - look.seen.now);
    case Category::unwanted:
      return terminate("drained before it registered");
    case Category::late:
      out.failed.push_back(&worker);
      return terminate("did not register within " +
                       in_seconds(look.pools.at(worker.pool).view->spec.registration_timeout));
    case Category::starting:
      return out.part.wake_in(look.pools.at(worker.pool).view->spec.registration_timeout -
                              workers.facts.at(worker.id).age);
    case Category::drained:
      return terminate("drained");
    case Category::draining:
      if (worker.leases == 0 && worker.idle_for) out.part.wake_in(kDrainedGrace - *worker.idle_for);
      return;
    case Category::given_up:
      return out.part.act(CordonIdle{worker.id, worker.instance_id,
                                     "its machine runs, but nothing was heard of it for " +
                                         in_seconds(workers.facts.at(worker.id).silence)});
    case Category::silent:
    case Category::idle: {
      const auto left = workers.borne - workers.facts.at(worker.id).silence;
      // A worker that lives is never silent for half of what is borne: for it no tick is needed.
      if (2 * left <= workers.borne) out.part.wake_in(left);
      return;
    }
    case Category::busy:
    case Category::ended:
    case Category::asked_to_end:
      return;
  }
}

}  // namespace

}  // namespace drover::core
