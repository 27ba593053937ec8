#include <algorithm>
#include <cmath>

#include "plan_context.hpp"

namespace drover::core {
namespace {

// Jobs that one instance answers for.
double jobs_per_instance(const PoolSpec& spec) {
  const double per_job = std::max(spec.instances_per_job, 1e-6);
  return std::max(spec.slots, 1) / per_job;
}

std::int64_t jobs_of(const PoolSpec& spec, int instances) {
  return static_cast<std::int64_t>(std::floor(std::max(instances, 0) * jobs_per_instance(spec) + 1e-9));
}

int instances_for(const PoolSpec& spec, std::int64_t jobs) {
  const double exact = std::ceil(static_cast<double>(jobs) / jobs_per_instance(spec) - 1e-9);
  return static_cast<int>(std::clamp(exact, 0.0, 1e9));
}

void count_workers(Context& c, PoolState& pool) {
  for (const FleetWorker* worker : pool.workers) {
    if (c.leaving.contains(worker->id)) continue;
    ++pool.figures.instances;
    if (worker->state != WorkerState::starting && worker->state != WorkerState::active) continue;
    if (c.silent(*worker)) continue;
    ++pool.figures.capacity;
    pool.figures.pending += worker->leases;
    ++(worker->alone ? pool.alone : worker->leases > 0 ? pool.busy : pool.empty);
  }
}

void count_launches(Context& c) {
  for (const auto& [id, launch] : c.launches) {
    if (launch->state != LaunchState::intended) continue;
    const auto pool = c.pools.find(launch->pool);
    if (pool == c.pools.end()) continue;
    const int under_way = std::max(launch->count - launch->instances, 0);
    pool->second.figures.launching += under_way;
    pool->second.figures.capacity += under_way;
    pool->second.figures.instances += under_way;
    pool->second.empty += under_way;
  }
}

bool may_launch(const Context& c, const PoolState& pool) {
  return pool.view->spec.provider == Provider::ec2 && pool.view->blocked_reason.empty() &&
         choose_offering(c.seen, pool.view->spec).offering.has_value();
}

// Machines for the jobs that run side by side. A busy one can be no suspect's, however few jobs it has.
int shared_machines(const PoolState& pool) {
  const int needed = instances_for(pool.view->spec, pool.figures.pending - pool.alone);
  return pool.alone > 0 ? std::max(needed, pool.busy) : needed;
}

using Counts = std::map<std::string, std::int64_t>;

// Suspects of its queues go to the pool, one to a machine, as long as there are such to be had: `free`.
void take_suspects(PoolState& pool, Counts& ready, Counts& suspects, int free) {
  for (const std::string& queue : queues_of(pool.view->spec)) {
    const auto left = suspects.find(queue);
    if (left == suspects.end() || free <= 0) continue;
    const std::int64_t taken = std::min<std::int64_t>(left->second, free);
    left->second -= taken;
    ready[queue] -= taken;
    free -= static_cast<int>(taken);
    pool.alone += static_cast<int>(taken);
    pool.figures.pending += taken;
  }
}

// Ready jobs of its queues go to the pool until it answers for those of `instances` instances.
void take(PoolState& pool, Counts& ready, const Counts& suspects, int instances) {
  std::int64_t room = jobs_of(pool.view->spec, instances - pool.alone) - (pool.figures.pending - pool.alone);
  for (const std::string& queue : queues_of(pool.view->spec)) {
    const auto left = ready.find(queue);
    if (left == ready.end() || room <= 0) continue;
    const auto waiting = suspects.find(queue);
    const std::int64_t shared = left->second - (waiting == suspects.end() ? 0 : waiting->second);
    const std::int64_t taken = std::clamp<std::int64_t>(shared, 0, room);
    left->second -= taken;
    room -= taken;
    pool.figures.pending += taken;
  }
}

}  // namespace

std::vector<std::string> queues_of(const PoolSpec& spec) {
  return spec.queues.empty() ? std::vector<std::string>{spec.name} : spec.queues;
}

// A queue may have several pools: its jobs are counted once. First for the machines that are there, then for
// what each pool may still launch, in the order of their names.
void measure_pools(Context& c) {
  Counts ready = c.seen.ready;
  Counts suspects = c.seen.suspects;
  for (auto& [name, pool] : c.pools) count_workers(c, pool);
  count_launches(c);
  for (auto& [name, pool] : c.pools) {
    take_suspects(pool, ready, suspects, pool.empty);
    take(pool, ready, suspects, pool.figures.capacity);
  }
  for (auto& [name, pool] : c.pools) {
    if (!may_launch(c, pool)) continue;
    const int max = pool.view->spec.max;
    take_suspects(pool, ready, suspects, max - std::max(shared_machines(pool), pool.busy) - pool.alone);
    take(pool, ready, suspects, max);
  }
  for (auto& [name, pool] : c.pools) {
    const PoolSpec& spec = pool.view->spec;
    for (const std::string& queue : queues_of(spec)) {
      const auto left = ready.find(queue);
      if (left != ready.end()) pool.unserved += left->second;
    }
    pool.figures.wanted = spec.provider == Provider::ec2 ? std::clamp(shared_machines(pool) + pool.alone,
                                                                      std::min(spec.min, spec.max), spec.max)
                                                         : pool.figures.capacity;  // others decide
  }
}

}  // namespace drover::core
