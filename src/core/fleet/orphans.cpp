#include <algorithm>

#include "steps.hpp"

namespace drover::core {
namespace {

bool tagged_ours(const Look& look, const Instance& instance);
bool still_exists(const Instance& instance);
bool intent_exists(const Look& look, const Instance& instance);
bool past_grace(const Look& look, const Instance& instance, const Absence& unknown);

}  // namespace

Orphans end_orphans(const Look& look, const PlannerMemory& memory) {
  Orphans out;
  for (const auto& [id, instance] : look.listed) {
    if (look.by_instance.contains(id) || !still_exists(*instance) || !tagged_ours(look, *instance)) continue;
    if (intent_exists(look, *instance)) continue;
    const auto before = memory.unknown.find(id);
    Absence& entry = out.unknown[id];
    entry = before == memory.unknown.end() ? Absence{0, look.seen.steady} : before->second;
    ++entry.listings;
    if (past_grace(look, *instance, entry)) {
      out.part.terminate(look, WorkerId{}, id, false,
                         "orphan: tagged as this deployment's, known to no worker and no launch");
    }
  }
  return out;
}

namespace {

// Only an instance that shows this deployment's tag is ours. One that shows none may be somebody else's.
bool tagged_ours(const Look& look, const Instance& instance) {
  return !look.seen.deployment.empty() &&
         std::any_of(instance.tags.begin(), instance.tags.end(), [&](const auto& tag) {
           return tag.first == kDeploymentTag && tag.second == look.seen.deployment;
         });
}

// A stopped machine runs nothing, but it exists and is paid for.
bool still_exists(const Instance& instance) {
  return instance.state != InstanceState::terminated && instance.state != InstanceState::shutting_down;
}

bool intent_exists(const Look& look, const Instance& instance) {
  if (instance.client_token.empty() || look.seen.outcomes.ended.contains(instance.id) ||
      is_gone(instance.state)) {
    return false;
  }
  return std::any_of(look.launches.begin(), look.launches.end(), [&](const auto& entry) {
    const FleetLaunch& launch = *entry.second;
    return launch.client_token == instance.client_token && launch.instances < launch.count &&
           (launch.state == LaunchState::intended || launch.state == LaunchState::fulfilled);
  });
}

bool past_grace(const Look& look, const Instance& instance, const Absence& unknown) {
  if (unknown.listings < 2) return false;
  return instance.launched_at ? look.seen.now - *instance.launched_at >= kOrphanGrace
                              : look.seen.steady - unknown.since >= kOrphanGrace;
}

}  // namespace

}  // namespace drover::core
