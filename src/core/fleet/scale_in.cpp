#include <algorithm>

#include "steps.hpp"

namespace drover::core {
namespace {

void scale_in_pool(const Look& look, const Classified& workers, const PoolLook& pool, Part& out);

}  // namespace

Part scale_in(const Look& look, const Classified& workers) {
  Part out;
  for (const auto& [name, pool] : look.pools) {
    if (pool.view->spec.provider == Provider::ec2) scale_in_pool(look, workers, pool, out);
  }
  return out;
}

namespace {

// The idle workers, those that have been idle longest first.
std::vector<const FleetWorker*> idle_workers(const Classified& workers, const PoolLook& pool) {
  std::vector<const FleetWorker*> idle;
  for (const FleetWorker* worker : pool.workers) {
    if (workers.category.at(worker->id) == Category::idle && worker->idle_for) idle.push_back(worker);
  }
  std::stable_sort(idle.begin(), idle.end(),
                   [](const FleetWorker* a, const FleetWorker* b) { return *a->idle_for > *b->idle_for; });
  return idle;
}

int staying(const Classified& workers, const PoolLook& pool) {
  return static_cast<int>(
      std::count_if(pool.workers.begin(), pool.workers.end(), [&](const FleetWorker* worker) {
        const Category category = workers.category.at(worker->id);
        return category == Category::starting || category == Category::idle || category == Category::busy;
      }));
}

bool work_waits(const Look& look, const PoolSpec& spec) {
  const std::vector<std::string> queues = queues_of(spec);
  return !look.seen.paused && std::any_of(queues.begin(), queues.end(), [&](const std::string& queue) {
    const auto found = look.seen.ready.find(queue);
    return found != look.seen.ready.end() && found->second > 0;
  });
}

// The worker has lost its last lease a moment ago, and has not asked for work since: it is about to.
bool about_to_ask(const Look& look, const FleetWorker& worker) {
  if (*worker.idle_for >= look.silence_allowed()) return false;
  return !worker.asked_ago || *worker.asked_ago > *worker.idle_for;
}

void scale_in_pool(const Look& look, const Classified& workers, const PoolLook& pool, Part& out) {
  const PoolSpec& spec = pool.view->spec;
  const bool wanted = work_waits(look, spec);
  int left = staying(workers, pool);
  for (const FleetWorker* worker : idle_workers(workers, pool)) {
    std::string reason;
    if (left > spec.max) {
      reason = "the pool has more than its max of " + std::to_string(spec.max);
    } else if (left <= std::min(spec.min, spec.max)) {
      break;
    } else if (about_to_ask(look, *worker) || (wanted && !asks_no_more(workers.facts.at(worker->id)))) {
      continue;  // another would be launched at once for the jobs that wait
    } else if (*worker->idle_for >= spec.idle_timeout) {
      reason =
          "idle for " + std::to_string(std::chrono::duration_cast<Seconds>(*worker->idle_for).count()) + " s";
    } else {
      out.wake_in(spec.idle_timeout - *worker->idle_for);
      break;
    }
    --left;
    out.act(CordonIdle{worker->id, worker->instance_id, std::move(reason)});
  }
}

}  // namespace

}  // namespace drover::core
