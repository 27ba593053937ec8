#include "observe.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace drover::reconcile {
namespace {

core::FleetWorker worker_of(const ports::WorkerRow& row,
                            const std::map<WorkerId, const engine::WorkerView*>& memory, bool known_before);
core::FleetLaunch launch_of(const ports::LaunchRow& row);

}  // namespace

core::Observation observe(Sight sight) {
  core::Observation seen;
  seen.leading = sight.view.leading;
  seen.paused = sight.view.paused;
  seen.deployment = to_string(sight.view.deployment);
  seen.tunables = sight.view.tunables;
  for (const auto& pool : sight.view.pools) {
    seen.pools.push_back(core::PoolView{pool.spec, pool.version, pool.blocked_reason});
  }
  for (const auto& [name, queue] : sight.view.queues) {
    seen.ready[name] = queue.ready;
    seen.suspects[name] = std::min(queue.suspects, queue.ready);
  }
  std::map<WorkerId, const engine::WorkerView*> memory;
  for (const auto& worker : sight.view.workers) memory[worker.id] = &worker;
  std::set<WorkerId> before;
  for (const auto& row : sight.before.workers) before.insert(row.id);
  for (const auto& row : sight.after.workers) {
    seen.workers.push_back(worker_of(row, memory, before.contains(row.id)));
  }
  for (const auto& row : sight.after.launches) seen.launches.push_back(launch_of(row));
  seen.listing = std::move(sight.listing);
  seen.listing_error = std::move(sight.listing_error);
  return seen;
}

namespace {

core::FleetWorker worker_of(const ports::WorkerRow& row,
                            const std::map<WorkerId, const engine::WorkerView*>& memory, bool known_before) {
  core::FleetWorker worker;
  worker.id = row.id;
  worker.instance_id = row.instance_id;
  worker.pool = row.pool_name;
  worker.state = row.state;
  worker.registered = row.registered.has_value();
  worker.known_before = known_before;
  worker.notice_until = row.notice_until;
  const auto found = memory.find(row.id);
  if (found == memory.end()) {
    // The worker is not in the engine's memory (yet, or any more). Its leases are not known, so it counts as
    // busy.
    worker.leases = row.registered ? 1 : 0;
    return worker;
  }
  worker.leases = found->second->leases;
  worker.alone = found->second->alone;
  worker.silent_for = found->second->silent_for;
  worker.idle_for = found->second->idle_for;
  worker.asked_ago = found->second->asked_ago;
  return worker;
}

core::FleetLaunch launch_of(const ports::LaunchRow& row) {
  core::FleetLaunch launch;
  launch.id = row.id;
  launch.pool = row.pool_name;
  launch.client_token = row.request.client_token;
  launch.count = row.request.count;
  launch.instances = row.instances;
  launch.state = row.state;
  launch.instance_type = row.request.instance_type;
  launch.subnet = row.request.subnet;
  launch.market = row.request.market;
  return launch;
}

}  // namespace

bool wants_listing(const engine::EngineView& view, const ports::FleetSnapshot& before) {
  return !before.launches.empty() || std::any_of(view.pools.begin(), view.pools.end(), [](const auto& pool) {
    return pool.spec.provider != core::Provider::none;
  });
}

std::vector<std::string> ids_to_list(const engine::EngineView& view, const ports::FleetSnapshot& before) {
  std::set<std::string> asg_pools;
  for (const auto& pool : view.pools) {
    if (pool.spec.provider == core::Provider::asg) asg_pools.insert(pool.spec.name);
  }
  std::vector<std::string> ids;
  for (const auto& worker : before.workers) {
    if (asg_pools.contains(worker.pool_name) && core::is_instance_id(worker.instance_id)) {
      ids.push_back(worker.instance_id);
    }
  }
  return ids;
}

}  // namespace drover::reconcile
