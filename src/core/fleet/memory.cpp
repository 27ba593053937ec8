#include <algorithm>

#include "steps.hpp"

namespace drover::core {
namespace {

void remember_workers(const Look& look, PlannerMemory& memory);
void remember_launches(const Look& look, PlannerMemory& memory);
void remember_trust(const Look& look, std::map<std::string, PoolTrust>& trust);

}  // namespace

PlannerMemory remember(const Look& look) {
  PlannerMemory memory = look.seen.memory;
  remember_workers(look, memory);
  remember_launches(look, memory);
  remember_trust(look, memory.trust);
  return memory;
}

namespace {

void remember_workers(const Look& look, PlannerMemory& memory) {
  for (const auto& [id, worker] : look.workers) memory.first_seen.try_emplace(id, look.seen.steady);
  const auto departed = [&](const auto& entry) { return !look.workers.contains(entry.first); };
  std::erase_if(memory.first_seen, departed);
  std::erase_if(memory.absent, departed);
  std::erase_if(memory.listed, [&](WorkerId id) { return !look.workers.contains(id); });
}

void remember_launches(const Look& look, PlannerMemory& memory) {
  for (const auto& [id, launch] : look.launches) memory.launch_seen.try_emplace(id, look.seen.steady);
  std::erase_if(memory.launch_seen, [&](const auto& entry) { return !look.launches.contains(entry.first); });
}

// A worker that registered shows that the image works, so that the failures of workers launched before it are
// not held against the image. After an edit of the pool neither are those of the workers that existed then:
// the edit may have removed the cause.
void remember_trust(const Look& look, std::map<std::string, PoolTrust>& trust) {
  std::erase_if(trust, [&](const auto& entry) { return !look.pools.contains(entry.first); });
  for (const auto& [name, pool] : look.pools) {
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

void distrust(PlannerMemory& memory, const std::vector<const FleetWorker*>& failed) {
  for (const FleetWorker* worker : failed) {
    PoolTrust& trust = memory.trust[worker->pool];
    if (trust.vouched_for < worker->id) trust.failed.insert(worker->id);
  }
}

Part block_pools(const Look& look, const PlannerMemory& memory) {
  Part out;
  for (const auto& [name, pool] : look.pools) {
    const std::size_t failed = memory.trust.at(name).failed.size();
    if (failed < kBadImageWorkers || !pool.view->blocked_reason.empty()) continue;
    out.act(BlockPool{name, pool.view->version,
                      "bad image: " + std::to_string(failed) +
                          " machines in a row ended or timed out without registering (image " +
                          pool.view->spec.image + "); edit the pool to try again"});
  }
  return out;
}

}  // namespace drover::core
