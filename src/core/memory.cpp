#include <algorithm>

#include "plan_context.hpp"

namespace drover::core {
namespace {

void remember_workers(Context& c) {
  PlannerMemory& memory = c.plan.memory;
  for (const auto& [id, worker] : c.workers) memory.first_seen.try_emplace(id, c.seen.steady);
  const auto departed = [&](const auto& entry) { return !c.workers.contains(entry.first); };
  std::erase_if(memory.first_seen, departed);
  std::erase_if(memory.absent, departed);
  std::erase_if(memory.listed, [&](WorkerId id) { return !c.workers.contains(id); });
}

void remember_instances(Context& c) {
  PlannerMemory& memory = c.plan.memory;
  std::erase_if(memory.ended, [&](const std::string& id) { return !c.listed.contains(id); });
  std::erase_if(memory.terminate_sent, [&](const auto& entry) {
    return !c.listed.contains(entry.first) && !c.by_instance.contains(entry.first);
  });
}

void remember_launches(Context& c) {
  PlannerMemory& memory = c.plan.memory;
  for (const auto& [id, launch] : c.launches) memory.launch_seen.try_emplace(id, c.seen.steady);
  std::erase_if(memory.launch_seen, [&](const auto& entry) { return !c.launches.contains(entry.first); });
  std::erase_if(memory.tries, [&](const auto& entry) { return !c.launches.contains(entry.first); });
  std::erase_if(memory.launched,
                [&](const auto& entry) { return c.seen.steady - entry.second.at >= Seconds{60}; });
}

// A machine that registered vouches for those launched before it; so does an edit of the pool, since what
// they were launched with may have been put right.
void remember_trust(Context& c) {
  auto& trust = c.plan.memory.trust;
  std::erase_if(trust, [&](const auto& entry) { return !c.pools.contains(entry.first); });
  for (const auto& [name, pool] : c.pools) {
    const auto [place, first] = trust.try_emplace(name);
    PoolTrust& entry = place->second;
    const bool edited = !first && entry.version != pool.view->version;
    entry.version = pool.view->version;
    for (const FleetWorker* worker : pool.workers) {
      if (worker->registered || edited) entry.vouched_for = std::max(entry.vouched_for, worker->id);
    }
    std::erase_if(entry.failed, [&](WorkerId id) { return edited || id <= entry.vouched_for; });
  }
}

}  // namespace

void remember(Context& c) {
  remember_workers(c);
  remember_instances(c);
  remember_launches(c);
  remember_trust(c);
}

void distrust(Context& c, const FleetWorker& worker) {
  PoolTrust& trust = c.plan.memory.trust[worker.pool];
  if (trust.vouched_for < worker.id) trust.failed.insert(worker.id);
}

void block_pools(Context& c) {
  for (const auto& [name, pool] : c.pools) {
    const std::size_t failed = c.plan.memory.trust[name].failed.size();
    if (failed < kBadImageWorkers || !pool.view->blocked_reason.empty()) continue;
    c.act(BlockPool{name, pool.view->version,
                    "bad image: " + std::to_string(failed) +
                        " machines in a row ended or timed out without registering (image " +
                        pool.view->spec.image + "); edit the pool to try again"});
  }
}

}  // namespace drover::core
