#include "fakes.hpp"

#include <algorithm>

namespace drover::reconcile::testing {
namespace {

std::string key_of(std::string_view name, ports::MetricLabels labels) {
  std::string key(name);
  key += '{';
  for (const auto& [label, value] : labels) {
    if (key.back() != '{') key += ',';
    key += std::string(label) + "=" + std::string(value);
  }
  return key + '}';
}

}  // namespace

void CountingMetrics::add(std::string_view counter, double amount, ports::MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  values_[key_of(counter, labels)] += amount;
}

void CountingMetrics::set(std::string_view gauge, double value, ports::MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  values_[key_of(gauge, labels)] = value;
}

double CountingMetrics::value(const std::string& name_and_labels) {
  const std::lock_guard lock(mutex_);
  return values_[name_and_labels];
}

// ---- the cloud

core::Instance& FakeCloud::add(const std::string& id, core::InstanceState state,
                               const std::string& deployment) {
  core::Instance& instance = instances[id];
  instance.id = id;
  instance.state = state;
  instance.launched_at = clock_.wall();
  instance.tags = {{std::string(core::kDeploymentTag), deployment}};
  return instance;
}

void FakeCloud::end(const std::string& id, const std::string& reason) {
  instances.at(id).state = core::InstanceState::terminated;
  instances.at(id).state_reason = reason;
}

int FakeCloud::alive() const {
  return static_cast<int>(std::count_if(instances.begin(), instances.end(), [](const auto& entry) {
    return !core::is_gone(entry.second.state);
  }));
}

core::CloudResult<std::vector<core::Instance>> FakeCloud::run_instances(const core::LaunchRequest& request) {
  launches.push_back(request);
  if (!refuse_launches.empty()) {
    const core::CloudError error = refuse_launches.front();
    refuse_launches.pop_front();
    return error;
  }
  const auto refused = refuse_types.find(request.instance_type);
  if (refused != refuse_types.end()) return refused->second;
  std::vector<core::Instance> out;
  for (const auto& [id, instance] : instances) {
    if (instance.client_token == request.client_token) out.push_back(instance);
  }
  if (out.empty()) {
    for (int i = 0; i < std::min(request.count, gives.value_or(request.count)); ++i) {
      std::string digits = std::to_string(next_++);
      core::Instance& made =
          add("i-" + std::string(8 - digits.size(), '0') + digits, core::InstanceState::pending, {});
      made.client_token = request.client_token;
      made.type = request.instance_type;
      made.tags = request.tags;
      out.push_back(made);
    }
  }
  if (lose_replies) return core::CloudError{core::CloudErrorClass::transient, "Timeout", "no answer in 10 s"};
  return out;
}

core::CloudResult<std::vector<core::Instance>> FakeCloud::list_by_tag(const std::string& key,
                                                                      const std::string& value) {
  ++lists;
  if (refuse_lists) return *refuse_lists;
  std::vector<core::Instance> out;
  for (const auto& [id, instance] : instances) {
    const std::pair<std::string, std::string> wanted{key, value};
    if (hidden.contains(id) || std::count(instance.tags.begin(), instance.tags.end(), wanted) == 0) continue;
    out.push_back(instance);
  }
  return out;
}

core::CloudResult<std::vector<core::Instance>> FakeCloud::list_by_id(std::span<const std::string> ids) {
  ++look_ups;
  if (refuse_lists) return *refuse_lists;
  std::vector<core::Instance> out;
  for (const auto& id : ids) {
    const auto found = instances.find(id);
    if (found != instances.end() && !unknown.contains(id)) out.push_back(found->second);
  }
  return out;
}

core::CloudStatus FakeCloud::terminate(std::span<const std::string> ids) {
  terminations.emplace_back(ids.begin(), ids.end());
  std::string refused;
  for (const auto& id : ids) {
    if (protect.contains(id)) refused += id + ' ';
    const auto found = instances.find(id);
    if (found == instances.end() || protect.contains(id)) continue;
    found->second.state = core::InstanceState::shutting_down;
    found->second.state_reason = "Client.UserInitiatedShutdown";
  }
  if (refused.empty()) return Ok{};
  return core::CloudError{core::CloudErrorClass::protection, "OperationNotPermitted",
                          refused + "is protected"};
}

// ---- the store and the engine

FakeFleet::FakeFleet(const Clock& clock) : clock_(clock) {
  memory.leading = true;
  memory.store_reachable = true;
  memory.epoch = 1;
  memory.deployment = *parse_uuid("11111111-2222-4333-8444-555555555555");
  memory.deployment_secret = Secret("deployment secret");
}

ports::PoolRow& FakeFleet::pool(const std::string& name, int max) {
  ports::PoolRow row;
  row.id = PoolId{static_cast<std::int64_t>(memory.pools.size()) + 1};
  row.spec.name = name;
  row.spec.max = max;
  row.spec.image = "ami-1";
  row.spec.instance_types = {"m5.large"};
  memory.pools.push_back(row);
  return memory.pools.back();
}

ports::WorkerRow& FakeFleet::worker(const std::string& instance, const std::string& pool,
                                    core::WorkerState state) {
  ports::WorkerRow row;
  row.id = WorkerId{static_cast<std::int64_t>(workers.size()) + 1};
  row.instance_id = instance;
  row.pool_name = pool;
  row.state = state;
  row.created = clock_.wall();
  if (state != core::WorkerState::starting) row.registered = clock_.wall();
  workers.push_back(row);
  return workers.back();
}

Result<engine::EngineView> FakeFleet::view() {
  engine::EngineView out = memory;
  out.trusted_until = clock_.steady() + Seconds{5};
  for (const auto& row : workers) {
    if (row.state == core::WorkerState::gone) continue;
    engine::WorkerView view;
    view.id = row.id;
    view.instance_id = row.instance_id;
    view.state = row.state;
    view.registered = row.registered.has_value();
    view.leases = leases[row.id];
    if (view.registered) view.silent_for = silent_for.contains(row.id) ? silent_for[row.id] : Millis{100};
    if (view.registered && view.leases == 0) view.idle_for = idle_for[row.id];
    out.workers.push_back(view);
  }
  return out;
}

Result<ports::FleetSnapshot> FakeFleet::fleet() {
  ++snapshots;
  if (snapshot_fails_at > 0 && snapshots >= snapshot_fails_at)
    return Error{Errc::unavailable, "the store is away"};
  ports::FleetSnapshot out;
  for (const auto& row : workers) {
    if (row.state != core::WorkerState::gone) out.workers.push_back(row);
  }
  for (const auto& row : launches) {
    if (row.state == core::LaunchState::intended || row.state == core::LaunchState::fulfilled) {
      out.launches.push_back(row);
    }
  }
  return out;
}

Result<ports::InsertLaunch::Answer> FakeFleet::carry_out(const ports::InsertLaunch& insert) {
  ports::LaunchRow row;
  row.id = LaunchId{static_cast<std::int64_t>(launches.size()) + 1};
  row.pool = insert.pool;
  for (const auto& pool : memory.pools) {
    if (pool.id == insert.pool) row.pool_name = pool.spec.name;
  }
  row.request = insert.request;
  row.created = insert.now;
  bootstrap_hashes[row.id.value] = insert.bootstrap_hash;
  launches.push_back(row);
  return ports::InsertLaunch::Answer{row.id};
}

Result<ports::RecordLaunch::Answer> FakeFleet::carry_out(const ports::RecordLaunch& record) {
  ports::RecordLaunch::Answer added;
  for (auto& launch : launches) {
    if (launch.id != record.launch) continue;
    launch.state = record.state;
    launch.error = record.error;
    for (const auto& instance : record.instances) {
      const bool known = std::any_of(workers.begin(), workers.end(),
                                     [&](const auto& row) { return row.instance_id == instance.id; });
      if (known) continue;
      added.workers.push_back(worker(instance.id, launch.pool_name, core::WorkerState::starting));
      ++launch.instances;
    }
  }
  return added;
}

Result<ports::MoveWorker::Answer> FakeFleet::carry_out(const ports::MoveWorker& move) {
  for (auto& row : workers) {
    if (row.id != move.worker) continue;
    const core::MoveDecision decision = core::decide_move(
        {row.state, row.registered.has_value(), leases[row.id] > 0, row.notice_until.has_value()}, move.move);
    if (decision.kind == core::MoveDecision::Kind::refuse) return Error{Errc::conflict, decision.reason};
    const bool moved = decision.kind == core::MoveDecision::Kind::move;
    if (moved) {
      row.state = decision.to;
      row.reason = move.reason;
    }
    return ports::MoveWorker::Answer{row, moved};
  }
  return Error{Errc::not_found, "no such worker"};
}

Result<ports::PutPool::Answer> FakeFleet::carry_out(const ports::PutPool& put) {
  ports::PutPool::Answer out;
  for (auto& pool : memory.pools) {
    if (pool.spec.name != put.spec.name) continue;
    pool.spec = put.spec;
    pool.blocked_reason = put.blocked_reason;
    if (put.blocked_reason.empty()) ++pool.version;
    out.pool = pool;
  }
  return out;
}

ports::Settled FakeFleet::apply_any(ports::Change change) {
  if (refuse) {
    if (auto error = refuse(change)) return ports::refused(change, *error);
  }
  return std::visit(
      [&]<class C>(const C& specific) {
        if constexpr (requires { carry_out(specific); }) {
          return ports::settled<C>(carry_out(specific));
        } else {
          return ports::settled<C>(Error{Errc::internal, "the reconciler has no business with it"});
        }
      },
      change);
}

std::vector<Status> FakeFleet::lose_workers(const std::vector<LostWorker>& lost_now) {
  std::vector<Status> out;
  for (const LostWorker& one : lost_now) {
    const auto row = std::find_if(workers.begin(), workers.end(),
                                  [&](const auto& known) { return known.id == one.worker; });
    if (row == workers.end()) {
      out.emplace_back(Error{Errc::not_found, "no such worker"});
      continue;
    }
    row->state = core::WorkerState::gone;
    row->reason = one.reason;
    leases[one.worker] = 0;
    lost.emplace_back(one.worker, one.outcome);
    out.emplace_back(Ok{});
  }
  return out;
}

}  // namespace drover::reconcile::testing
