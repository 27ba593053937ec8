#include "fake_cloud.hpp"

#include <algorithm>

namespace drover::reconcile::testing {

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

}  // namespace drover::reconcile::testing
