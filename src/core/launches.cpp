#include <algorithm>

#include "plan_context.hpp"

namespace drover::core {
namespace {

struct OfLaunch {
  std::vector<Instance> alive;  // listed, nobody's yet
  bool ended = false;           // some are listed as gone
};

// By client token, the instances that no worker stands for.
std::map<std::string, OfLaunch> unclaimed(const Context& c) {
  std::map<std::string, OfLaunch> out;
  for (const auto& [id, instance] : c.listed) {
    if (instance->client_token.empty() || c.by_instance.contains(id)) continue;
    OfLaunch& of = out[instance->client_token];
    if (is_gone(instance->state)) {
      of.ended = true;
    } else if (!c.plan.memory.ended.contains(id)) {
      of.alive.push_back(*instance);
    }
  }
  return out;
}

bool adopt(Context& c, const FleetLaunch& launch, const OfLaunch& of) {
  const int room = launch.count - launch.instances;
  if (room <= 0 || of.alive.empty()) return false;
  std::vector<Instance> instances = of.alive;
  if (static_cast<int>(instances.size()) > room) instances.resize(static_cast<std::size_t>(room));
  c.act(AdoptInstances{launch.id, std::move(instances), "the cloud lists them under this launch's token"});
  return true;
}

std::optional<std::string> why_close(const Context& c, const FleetLaunch& launch, const OfLaunch& of) {
  const auto pool = c.pools.find(launch.pool);
  if (pool == c.pools.end()) return "its pool is no more";
  if (launch.instances >= launch.count) return "all its instances came";
  if (of.ended) return "its instances have ended";
  if (c.seen.steady - c.plan.memory.launch_seen.at(launch.id) >= kLaunchLife)
    return "it led to nothing for an hour";
  const auto tried = c.plan.memory.tries.find(launch.id);
  if (tried != c.plan.memory.tries.end() && tried->second.failures > 0) {
    const PoolFigures& figures = pool->second.figures;
    if (figures.capacity - (launch.count - launch.instances) >= figures.wanted) return "no longer wanted";
  }
  return std::nullopt;
}

// What it stood for is not under way any more; the demand may be met in another way in this very plan.
void close(Context& c, const FleetLaunch& launch, const std::string& reason) {
  c.act(CloseLaunch{launch.id, reason});
  const auto pool = c.pools.find(launch.pool);
  if (pool == c.pools.end()) return;
  const int under_way = std::max(launch.count - launch.instances, 0);
  pool->second.figures.launching -= under_way;
  pool->second.figures.capacity -= under_way;
  pool->second.figures.instances -= under_way;
}

void call(Context& c, const FleetLaunch& launch) {
  const PoolState& pool = c.pools.at(launch.pool);
  if (c.seen.paused) return c.note(launch.pool, NoteKind::paused, "paused with a launch under way");
  if (c.frozen()) return;
  if (!pool.view->blocked_reason.empty()) {
    return c.note(launch.pool, NoteKind::blocked, pool.view->blocked_reason);
  }
  const auto tried = c.plan.memory.tries.find(launch.id);
  const bool again = tried != c.plan.memory.tries.end();
  if (again && c.seen.steady < tried->second.next) {
    const auto left = std::chrono::ceil<Millis>(tried->second.next - c.seen.steady);
    c.note(launch.pool, NoteKind::retry,
           "the cloud did not answer a launch; it is asked again with the same token", left);
    return c.wake_in(left);
  }
  if (!c.plan.memory.launched.contains(launch.id))
    c.asked_for += std::max(launch.count - launch.instances, 0);
  c.act(CallLaunch{launch.id, again ? "asked again with the same token" : "intended and not answered yet"});
}

}  // namespace

// Before orphans are looked for: an instance whose intent exists is adopted, never reaped.
void resolve_launches(Context& c) {
  const auto instances = unclaimed(c);
  for (const auto& [id, launch] : c.launches) {
    const bool intended = launch->state == LaunchState::intended;
    if (!intended && launch->state != LaunchState::fulfilled) continue;
    const auto found = instances.find(launch->client_token);
    const OfLaunch of = found == instances.end() ? OfLaunch{} : found->second;
    if (adopt(c, *launch, of) || !intended) continue;
    if (auto reason = why_close(c, *launch, of)) {
      close(c, *launch, *reason);
    } else {
      call(c, *launch);
    }
  }
}

}  // namespace drover::core
