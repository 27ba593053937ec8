#include <algorithm>

#include "plan_context.hpp"

namespace drover::core {
namespace {

std::vector<const FleetWorker*> idle_workers(const Context& c, const PoolState& pool) {
  std::vector<const FleetWorker*> idle;
  for (const FleetWorker* worker : pool.workers) {
    if (c.leaving.contains(worker->id) || worker->state != WorkerState::active || !worker->registered)
      continue;
    if (worker->leases == 0 && worker->idle_for && c.managed(*worker) && !c.silent(*worker))
      idle.push_back(worker);
  }
  std::stable_sort(idle.begin(), idle.end(),
                   [](const FleetWorker* a, const FleetWorker* b) { return *a->idle_for > *b->idle_for; });
  return idle;
}

int staying(const Context& c, const PoolState& pool) {
  return static_cast<int>(
      std::count_if(pool.workers.begin(), pool.workers.end(), [&](const FleetWorker* worker) {
        return !c.leaving.contains(worker->id) && !c.silent(*worker) &&
               (worker->state == WorkerState::starting || worker->state == WorkerState::active);
      }));
}

bool work_waits(const Context& c, const PoolSpec& spec) {
  const std::vector<std::string> queues = queues_of(spec);
  return !c.seen.paused && std::any_of(queues.begin(), queues.end(), [&](const std::string& queue) {
    const auto found = c.seen.ready.find(queue);
    return found != c.seen.ready.end() && found->second > 0;
  });
}

void scale_in_pool(Context& c, const PoolState& pool) {
  const PoolSpec& spec = pool.view->spec;
  const bool wanted = work_waits(c, spec);
  int left = staying(c, pool);
  for (const FleetWorker* worker : idle_workers(c, pool)) {
    std::string reason;
    if (left > spec.max) {
      reason = "the pool has more than its max of " + std::to_string(spec.max);
    } else if (left <= std::min(spec.min, spec.max)) {
      break;
    } else if (c.about_to_ask(*worker) || (wanted && !c.asks_no_more(*worker))) {
      continue;  // it would be launched anew for what waits
    } else if (*worker->idle_for >= spec.idle_timeout) {
      reason =
          "idle for " + std::to_string(std::chrono::duration_cast<Seconds>(*worker->idle_for).count()) + " s";
    } else {
      c.wake_in(spec.idle_timeout - *worker->idle_for);
      break;
    }
    --left;
    c.leaving.insert(worker->id);
    c.act(CordonIdle{worker->id, worker->instance_id, std::move(reason)});
  }
}

}  // namespace

void scale_in(Context& c) {
  if (c.frozen()) return;
  for (const auto& [name, pool] : c.pools) {
    if (pool.view->spec.provider == Provider::ec2) scale_in_pool(c, pool);
  }
}

}  // namespace drover::core
