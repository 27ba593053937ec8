#include <algorithm>

#include "plan_context.hpp"

namespace drover::core {
namespace {

// Only a tag that is there says "ours"; a missing one says nothing.
bool tagged_ours(const Context& c, const Instance& instance) {
  return !c.seen.deployment.empty() &&
         std::any_of(instance.tags.begin(), instance.tags.end(), [&](const auto& tag) {
           return tag.first == kDeploymentTag && tag.second == c.seen.deployment;
         });
}

// A stopped machine runs nothing but is still there, and paid for.
bool still_exists(const Instance& instance) {
  return instance.state != InstanceState::terminated && instance.state != InstanceState::shutting_down;
}

bool intent_exists(const Context& c, const Instance& instance) {
  if (instance.client_token.empty() || c.plan.memory.ended.contains(instance.id) || is_gone(instance.state)) {
    return false;
  }
  return std::any_of(c.launches.begin(), c.launches.end(), [&](const auto& entry) {
    const FleetLaunch& launch = *entry.second;
    return launch.client_token == instance.client_token && launch.instances < launch.count &&
           (launch.state == LaunchState::intended || launch.state == LaunchState::fulfilled);
  });
}

bool past_grace(const Context& c, const Instance& instance, const Absence& unknown) {
  if (unknown.listings < 2) return false;
  return instance.launched_at ? c.seen.now - *instance.launched_at >= kOrphanGrace
                              : c.seen.steady - unknown.since >= kOrphanGrace;
}

}  // namespace

void end_orphans(Context& c) {
  if (c.frozen()) return;
  std::map<std::string, Absence> unknown;
  for (const auto& [id, instance] : c.listed) {
    if (c.by_instance.contains(id) || !still_exists(*instance) || !tagged_ours(c, *instance)) continue;
    if (intent_exists(c, *instance)) continue;
    const auto before = c.plan.memory.unknown.find(id);
    Absence& entry = unknown[id];
    entry = before == c.plan.memory.unknown.end() ? Absence{0, c.seen.steady} : before->second;
    ++entry.listings;
    if (past_grace(c, *instance, entry)) {
      c.terminate(nullptr, id, false,
                  "orphan: tagged as this deployment's, known to no worker and no launch");
    }
  }
  c.plan.memory.unknown = std::move(unknown);
}

}  // namespace drover::core
