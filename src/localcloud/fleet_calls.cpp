#include <algorithm>
#include <csignal>
#include <filesystem>
#include <set>
#include <system_error>

#include "ec2_protocol.hpp"
#include "fleet.hpp"

// Calls that change existing instances: terminate, stop, start, modify.
namespace drover::localcloud {

namespace {

using core::InstanceState;

Error wrong_state(const Instance& instance, std::string_view what) {
  return ec2_error(
      "IncorrectInstanceState",
      "The instance '" + instance.id + "' is not in a state from which it can be " + std::string(what) + ".");
}

Error is_protected(const Instance& instance, std::string_view what, std::string_view attribute) {
  std::string message = "The instance '" + instance.id + "' may not be ";
  message.append(what).append(". Modify its '").append(attribute);
  return ec2_error("OperationNotPermitted", message + "' instance attribute and try again.");
}

// Why the instance cannot be stopped, if so.
Status check_stop(const Instance& instance) {
  if (instance.market == core::Market::spot) {
    return ec2_error("UnsupportedOperation",
                     "You can't stop the Spot Instance '" + instance.id +
                         "' because it is associated with a one-time Spot Instance request. You can only "
                         "stop Spot Instances associated with persistent Spot Instance requests.");
  }
  const auto state = instance.state;
  if (state == InstanceState::stopping || state == InstanceState::stopped) return Ok{};
  if (state != InstanceState::running) return wrong_state(instance, "stopped");
  if (instance.keeps_from_stopping) return is_protected(instance, "stopped", "disableApiStop");
  return Ok{};
}

}  // namespace

Result<std::vector<StateChange>> Fleet::terminate(const std::vector<std::string>& ids) {
  const std::lock_guard lock(mutex_);
  if (auto known = check_known(ids); !known.ok()) return known.error();
  std::set<std::string> kept_zones;
  const Instance* kept = nullptr;
  for (const auto& id : ids) {
    const auto& instance = entries_.at(id).instance;
    if (!instance.keeps_from_termination || is_ending(instance)) continue;
    kept_zones.insert(instance.zone);
    if (kept == nullptr) kept = &instance;
  }
  std::vector<StateChange> out;
  for (const auto& id : ids) {
    auto& entry = entries_.at(id);
    if (kept_zones.contains(entry.instance.zone)) continue;
    const auto before = entry.instance.state;
    end(entry, "Client.UserInitiatedShutdown", "User initiated shutdown");
    out.push_back({id, before, entry.instance.state});
  }
  if (kept != nullptr) return is_protected(*kept, "terminated", "disableApiTermination");
  return out;
}

Result<std::vector<StateChange>> Fleet::stop(const std::vector<std::string>& ids) {
  const std::lock_guard lock(mutex_);
  if (auto known = check_known(ids); !known.ok()) return known.error();
  for (const auto& id : ids) {
    if (auto can = check_stop(entries_.at(id).instance); !can.ok()) return can.error();
  }
  std::vector<StateChange> out;
  for (const auto& id : ids) {
    auto& entry = entries_.at(id);
    auto& instance = entry.instance;
    const auto before = instance.state;
    if (before == InstanceState::running) {
      instance.state = InstanceState::stopping;
      instance.reason_code = "Client.UserInitiatedShutdown";
      instance.reason_message = instance.reason_code + ": User initiated shutdown";
      save(instance);
      end_process(entry, SIGTERM);
    }
    out.push_back({id, before, instance.state});
  }
  return out;
}

Result<std::vector<StateChange>> Fleet::start(const std::vector<std::string>& ids) {
  const std::lock_guard lock(mutex_);
  if (auto known = check_known(ids); !known.ok()) return known.error();
  int wanted = 0;
  for (const auto& id : ids) {
    const auto& instance = entries_.at(id).instance;
    if (instance.state == InstanceState::stopped) ++wanted;
    if (instance.state != InstanceState::stopped && !runs(instance)) return wrong_state(instance, "started");
  }
  if (wanted > options_.max_instances - running()) {
    return ec2_error("InstanceLimitExceeded",
                     "You have requested more instances than your current limit allows.");
  }
  std::vector<StateChange> out;
  for (const auto& id : ids) {
    auto& entry = entries_.at(id);
    auto& instance = entry.instance;
    const auto before = instance.state;
    if (before == InstanceState::stopped) {
      if (faults_.take_capacity(instance.type, instance.zone, 1, 1) == 0) {
        return ec2_error("InsufficientInstanceCapacity",
                         "We currently do not have sufficient " + instance.type +
                             " capacity in the Availability Zone " + instance.zone + ".");
      }
      std::error_code ignored;
      std::filesystem::remove(paths(id).exit(), ignored);
      std::filesystem::remove(paths(id).supervisor(), ignored);
      instance.state = InstanceState::pending;
      instance.reason_code.clear();
      instance.reason_message.clear();
      ++instance.boots;
      save(instance);
      boot(entry, Ok{});
    }
    out.push_back({id, before, instance.state});
  }
  return out;
}

Status Fleet::modify(const std::string& id, const std::function<Status(Instance&)>& change) {
  const std::lock_guard lock(mutex_);
  if (auto known = check_known({id}); !known.ok()) return known;
  auto& instance = entries_.at(id).instance;
  if (is_ending(instance)) return wrong_state(instance, "modified");
  if (auto changed = change(instance); !changed.ok()) return changed;
  save(instance);
  return Ok{};
}

}  // namespace drover::localcloud
