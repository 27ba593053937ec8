#include <algorithm>

#include "steps.hpp"

namespace drover::core {
namespace {

struct OfLaunch {
  std::vector<Instance> alive;  // listed, of no stored worker yet
  int ended = 0;                // listed as gone
};

std::map<std::string, OfLaunch> unclaimed(const Look& look);
bool adopt(const FleetLaunch& launch, const OfLaunch& of, Part& part);
std::optional<std::string> why_close(const Look& look, const PlannerMemory& memory, const FleetLaunch& launch,
                                     const OfLaunch& of, const Demand& demand);
void close(const FleetLaunch& launch, const std::string& reason, Resolved& out);
void call(const Look& look, const FleetLaunch& launch, bool frozen, Resolved& out);

}  // namespace

// Adopts, calls or closes each open launch. An instance whose launch has room for it is adopted here;
// end_orphans() leaves it alone.
Resolved resolve_launches(const Look& look, const PlannerMemory& memory, bool frozen, Demand demand) {
  Resolved out{{}, std::move(demand), 0};
  const auto instances = unclaimed(look);
  for (const auto& [id, launch] : look.launches) {
    const bool intended = launch->state == LaunchState::intended;
    if (!intended && launch->state != LaunchState::fulfilled) continue;
    const auto found = instances.find(launch->client_token);
    const OfLaunch of = found == instances.end() ? OfLaunch{} : found->second;
    if (adopt(*launch, of, out.part) || !intended) continue;
    if (auto reason = why_close(look, memory, *launch, of, out.demand)) {
      close(*launch, *reason, out);
    } else {
      call(look, *launch, frozen, out);
    }
  }
  return out;
}

namespace {

// By client token, the instances that belong to no stored worker.
std::map<std::string, OfLaunch> unclaimed(const Look& look) {
  std::map<std::string, OfLaunch> out;
  for (const auto& [id, instance] : look.listed) {
    if (instance->client_token.empty() || look.by_instance.contains(id)) continue;
    OfLaunch& of = out[instance->client_token];
    if (is_gone(instance->state)) {
      ++of.ended;
    } else if (!look.seen.outcomes.ended.contains(id)) {
      of.alive.push_back(*instance);
    }
  }
  return out;
}

bool adopt(const FleetLaunch& launch, const OfLaunch& of, Part& part) {
  const int room = launch.count - launch.instances;
  if (room <= 0 || of.alive.empty()) return false;
  std::vector<Instance> instances = of.alive;
  if (static_cast<int>(instances.size()) > room) instances.resize(static_cast<std::size_t>(room));
  part.act(AdoptInstances{launch.id, std::move(instances), "the cloud lists them under this launch's token"});
  return true;
}

int under_way(const FleetLaunch& launch) {
  return std::max(launch.count - launch.instances, 0);
}

const LaunchTry* tried(const Look& look, LaunchId launch) {
  const auto found = look.seen.outcomes.tries.find(launch);
  return found == look.seen.outcomes.tries.end() ? nullptr : &found->second;
}

std::optional<std::string> why_close(const Look& look, const PlannerMemory& memory, const FleetLaunch& launch,
                                     const OfLaunch& of, const Demand& demand) {
  const auto pool = demand.find(launch.pool);
  if (pool == demand.end()) return "its pool is no more";
  if (launch.instances >= launch.count) return "all its instances came";
  // An instance that was not listed yet may be listed late. Had its launch been closed by then, it would be
  // terminated as an orphan.
  if (of.ended >= launch.count) return "its instances have ended";
  if (look.seen.steady - memory.launch_seen.at(launch.id) >= kLaunchLife)
    return "it led to nothing for an hour";
  const LaunchTry* before = tried(look, launch.id);
  if (before == nullptr || before->failures == 0) return std::nullopt;
  const PoolFigures& figures = pool->second.figures;
  if (figures.capacity - under_way(launch) >= figures.wanted) return "no longer wanted";
  return std::nullopt;
}

// The launch's machines are taken off those under way, so that scale_out() can launch others in this very
// plan.
void close(const FleetLaunch& launch, const std::string& reason, Resolved& out) {
  out.part.act(CloseLaunch{launch.id, reason});
  const auto pool = out.demand.find(launch.pool);
  if (pool == out.demand.end()) return;
  pool->second.figures.launching -= under_way(launch);
  pool->second.figures.capacity -= under_way(launch);
  pool->second.figures.instances -= under_way(launch);
}

void call(const Look& look, const FleetLaunch& launch, bool frozen, Resolved& out) {
  const PoolView& pool = *look.pools.at(launch.pool).view;
  if (look.seen.paused) return out.part.note(launch.pool, NoteKind::paused, "paused with a launch under way");
  if (frozen) return;
  if (!pool.blocked_reason.empty()) {
    return out.part.note(launch.pool, NoteKind::blocked, pool.blocked_reason);
  }
  const LaunchTry* before = tried(look, launch.id);
  if (before != nullptr && look.seen.steady < before->next) {
    const auto left = std::chrono::ceil<Millis>(before->next - look.seen.steady);
    out.part.note(launch.pool, NoteKind::retry,
                  "the cloud did not answer a launch; it is asked again with the same token", left);
    return out.part.wake_in(left);
  }
  if (!look.is_charged(launch.id)) out.asked_for += under_way(launch);
  out.part.act(CallLaunch{
      launch.id, before != nullptr ? "asked again with the same token" : "intended and not answered yet"});
}

}  // namespace

}  // namespace drover::core
