#include <algorithm>
#include <cmath>

#include "steps.hpp"

namespace drover::core {
namespace {

using Counts = std::map<std::string, std::int64_t>;

void count_workers(const PoolLook& pool, const Classified& workers, PoolDemand& out);
void count_launches(const Look& look, Demand& demand);
bool may_launch(const Look& look, const PoolView& pool);
int shared_machines(const PoolSpec& spec, const PoolDemand& pool);
void take_suspects(const PoolSpec& spec, PoolDemand& pool, Counts& ready, Counts& suspects, int free);
void take(const PoolSpec& spec, PoolDemand& pool, Counts& ready, const Counts& suspects, int instances);

}  // namespace

// Several pools may serve one queue, but each of its jobs counts for one pool only. Jobs are assigned first
// to the machines that are there or under way, then to what each pool may still launch, both in the order of
// the pools' names.
Demand measure_demand(const Look& look, const Classified& workers) {
  Counts ready = look.seen.ready;
  Counts suspects = look.seen.suspects;
  Demand demand;
  for (const auto& [name, pool] : look.pools) {
    demand[name].figures.pool = name;
    count_workers(pool, workers, demand[name]);
  }
  count_launches(look, demand);
  for (auto& [name, pool] : demand) {
    const PoolSpec& spec = look.pools.at(name).view->spec;
    take_suspects(spec, pool, ready, suspects, pool.empty);
    take(spec, pool, ready, suspects, pool.figures.capacity);
  }
  for (auto& [name, pool] : demand) {
    const PoolView& view = *look.pools.at(name).view;
    if (!may_launch(look, view)) continue;
    take_suspects(view.spec, pool, ready, suspects,
                  view.spec.max - std::max(shared_machines(view.spec, pool), pool.busy) - pool.alone);
    take(view.spec, pool, ready, suspects, view.spec.max);
  }
  for (auto& [name, pool] : demand) {
    const PoolSpec& spec = look.pools.at(name).view->spec;
    for (const std::string& queue : queues_of(spec)) {
      const auto left = ready.find(queue);
      if (left != ready.end()) pool.unserved += left->second;
    }
    pool.figures.wanted =
        spec.provider == Provider::ec2
            ? std::clamp(shared_machines(spec, pool) + pool.alone, std::min(spec.min, spec.max), spec.max)
            : pool.figures.capacity;  // another system scales this pool
  }
  return demand;
}

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

void count_workers(const PoolLook& pool, const Classified& workers, PoolDemand& out) {
  for (const FleetWorker* worker : pool.workers) {
    const Category category = workers.category.at(worker->id);
    if (category == Category::ended) continue;
    ++out.figures.instances;
    if (!is_capacity(category)) continue;
    ++out.figures.capacity;
    out.figures.pending += worker->leases;
    ++(worker->alone ? out.alone : worker->leases > 0 ? out.busy : out.empty);
  }
}

void count_launches(const Look& look, Demand& demand) {
  for (const auto& [id, launch] : look.launches) {
    if (launch->state != LaunchState::intended) continue;
    const auto pool = demand.find(launch->pool);
    if (pool == demand.end()) continue;
    const int under_way = std::max(launch->count - launch->instances, 0);
    pool->second.figures.launching += under_way;
    pool->second.figures.capacity += under_way;
    pool->second.figures.instances += under_way;
    pool->second.empty += under_way;
  }
}

bool may_launch(const Look& look, const PoolView& pool) {
  return pool.spec.provider == Provider::ec2 && pool.blocked_reason.empty() &&
         choose_offering(look.seen, pool.spec).offering.has_value();
}

// Machines that jobs share. While suspects need machines to themselves, every busy machine counts as shared
// even where fewer would do: a machine that runs shared jobs cannot be given to a suspect.
int shared_machines(const PoolSpec& spec, const PoolDemand& pool) {
  const int needed = instances_for(spec, pool.figures.pending - pool.alone);
  return pool.alone > 0 ? std::max(needed, pool.busy) : needed;
}

// Assigns suspects of the pool's queues to it, one to a machine, for at most `free` machines.
void take_suspects(const PoolSpec& spec, PoolDemand& pool, Counts& ready, Counts& suspects, int free) {
  for (const std::string& queue : queues_of(spec)) {
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

// Assigns ready jobs of the pool's queues to it, as many as `instances` instances answer for.
void take(const PoolSpec& spec, PoolDemand& pool, Counts& ready, const Counts& suspects, int instances) {
  std::int64_t room = jobs_of(spec, instances - pool.alone) - (pool.figures.pending - pool.alone);
  for (const std::string& queue : queues_of(spec)) {
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

}  // namespace drover::core
