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

// The cloud takes it back by itself; what it leaves standing would cost money for nothing.
void end_noticed(Context& c, const FleetWorker& worker) {
  const auto left = *worker.notice_until + kNoticeGrace - c.seen.now;
  if (left > Micros{0}) return c.wake_in(left);
  c.terminate(&worker, worker.instance_id, true,
              "still there five minutes after its interruption notice's time");
}

// One machine that says nothing is given up when its attempts are back in the queue, so that another may
// take its place though the pool is at its max. Many at once are given more time: that may well be us, and
// when we hear them again they are wanted.
Seconds silence_borne(const Context& c) {
  int fleet = 0;
  int silent = 0;
  for (const auto& [id, worker] : c.workers) {
    if (!worker->registered || worker->state != WorkerState::active || !c.managed(*worker)) continue;
    ++fleet;
    if (c.silent(*worker)) ++silent;
  }
  if (static_cast<double>(silent) <= c.credible_loss(fleet)) return c.silence_allowed();
  return std::max(kSilentMin, 2 * c.silence_allowed());
}

void end_silent(Context& c, const FleetWorker& worker, Seconds borne) {
  if (worker.leases > 0) return;
  const auto silence = c.silence(worker);
  if (silence < borne) {
    if (2 * silence >= borne) c.wake_in(borne - silence);  // no live worker is silent for half of that
    return;
  }
  c.leaving.insert(worker.id);
  c.act(CordonIdle{worker.id, worker.instance_id,
                   "its machine runs, but nothing was heard of it for " +
                       std::to_string(std::chrono::duration_cast<Seconds>(silence).count()) + " s"});
}

}  // namespace

void end_workers(Context& c) {
  const Seconds borne = silence_borne(c);
  for (const auto& [id, worker] : c.workers) {
    if (c.leaving.contains(id)) continue;
    if (worker->state == WorkerState::terminating) {
      end_as_asked(c, *worker);
      continue;
    }
    if (c.frozen() || !c.managed(*worker)) continue;
    if (worker->notice_until) {
      end_noticed(c, *worker);
    } else if (!worker->registered) {
      end_unregistered(c, *worker);
    } else if (worker->state == WorkerState::draining) {
      end_drained(c, *worker);
    } else if (worker->state == WorkerState::active) {
      end_silent(c, *worker, borne);
    }
  }
}

}  // namespace drover::core
