#include <algorithm>

#include "plan_context.hpp"

namespace drover::core {
namespace {

void end_as_asked(Context& c, const FleetWorker& worker) {
  if (c.managed(worker))
    return c.terminate(&worker, worker.instance_id, false, "asked to end, not yet seen gone");
  if (c.judged(worker)) return;  // another system ends it; its listing will say so
  if (worker.leases > 0) return;
  c.leaving.insert(worker.id);
  c.act(MarkGone{worker.id, "asked to end; its machine is not ours"});
}

void end_unregistered(Context& c, const FleetWorker& worker) {
  const PoolSpec& spec = c.pools.at(worker.pool).view->spec;
  const auto age = c.age(worker);
  if (worker.state == WorkerState::draining) {
    return c.terminate(&worker, worker.instance_id, true, "drained before it registered");
  }
  if (age < spec.registration_timeout) return c.wake_in(spec.registration_timeout - age);
  distrust(c, worker);
  c.terminate(&worker, worker.instance_id, true,
              "did not register within " + std::to_string(spec.registration_timeout.count()) + " s");
}

void end_drained(Context& c, const FleetWorker& worker) {
  if (worker.leases > 0 || !worker.idle_for) return;
  if (*worker.idle_for < kDrainedGrace) return c.wake_in(kDrainedGrace - *worker.idle_for);
  c.terminate(&worker, worker.instance_id, true, "drained");
}

void end_silent(Context& c, const FleetWorker& worker) {
  const Seconds allowed = std::max(kSilentMin, Seconds{2 * c.seen.tunables.lease_s});
  const SteadyTime::duration silent =
      worker.silent_for ? SteadyTime::duration{*worker.silent_for} : c.age(worker);
  if (worker.leases > 0 || silent < allowed) return;
  c.leaving.insert(worker.id);
  c.act(CordonIdle{worker.id, worker.instance_id,
                   "its machine runs, but nothing was heard of it for " +
                       std::to_string(std::chrono::duration_cast<Seconds>(silent).count()) + " s"});
}

}  // namespace

void end_workers(Context& c) {
  for (const auto& [id, worker] : c.workers) {
    if (c.leaving.contains(id)) continue;
    if (worker->state == WorkerState::terminating) {
      end_as_asked(c, *worker);
      continue;
    }
    if (c.frozen() || !c.managed(*worker)) continue;
    if (!worker->registered) {
      end_unregistered(c, *worker);
    } else if (worker->state == WorkerState::draining) {
      end_drained(c, *worker);
    } else if (worker->state == WorkerState::active) {
      end_silent(c, *worker);
    }
  }
}

}  // namespace drover::core
