#include <algorithm>
#include <array>

#include "ec2_parameters.hpp"
#include "ec2_service.hpp"

// The table of actions, and the checks that come before each of them: its parameters and the policy.
namespace drover::localcloud {

namespace {

Error refuse_permission(const std::string& name) {
  if (name == "iam:CreateServiceLinkedRole") {
    return ec2_error("AuthFailure.ServiceLinkedRoleCreationNotPermitted",
                     "The provided credentials do not have permission to create the service-linked role for "
                     "EC2 Spot Instances.");
  }
  return ec2_error("UnauthorizedOperation",
                   "You are not authorized to perform this operation. User: "
                   "arn:aws:iam::000000000000:user/local is not authorized to perform: " +
                       name + " because no identity-based policy allows the " + name + " action");
}

}  // namespace

Ec2Service::Action Ec2Service::find_action(const std::string& action) {
  static constexpr std::array<std::pair<std::string_view, Action>, 19> kActions{{
      {"RunInstances", &Ec2Service::run_instances},
      {"DescribeInstances", &Ec2Service::describe_instances},
      {"TerminateInstances", &Ec2Service::terminate_instances},
      {"StopInstances", &Ec2Service::stop_instances},
      {"StartInstances", &Ec2Service::start_instances},
      {"ModifyInstanceAttribute", &Ec2Service::modify_instance},
      {"DescribeInstanceStatus", &Ec2Service::describe_instance_status},
      {"DescribeSpotInstanceRequests", &Ec2Service::describe_spot_requests},
      {"DescribeTags", &Ec2Service::describe_tags},
      {"CreateTags", &Ec2Service::create_tags},
      {"DeleteTags", &Ec2Service::delete_tags},
      {"GetConsoleOutput", &Ec2Service::get_console_output},
      {"DescribeAvailabilityZones", &Ec2Service::describe_zones},
      {"DescribeRegions", &Ec2Service::describe_regions},
      {"DescribeSubnets", &Ec2Service::describe_subnets},
      {"DescribeInstanceTypes", &Ec2Service::describe_types},
      {"DescribeInstanceTypeOfferings", &Ec2Service::describe_offerings},
      {"DescribeImages", &Ec2Service::describe_images},
      {"GetCallerIdentity", &Ec2Service::get_caller_identity},
  }};
  const auto* at =
      std::ranges::find(kActions, std::string_view(action), &std::pair<std::string_view, Action>::first);
  return at == kActions.end() ? nullptr : at->second;
}

bool Ec2Service::knows(const std::string& action) {
  return !action.empty() && find_action(action) != nullptr;
}

Result<std::string> Ec2Service::call(const std::string& action, const Params& params) {
  if (auto sound = check_parameters(action, params); !sound.ok()) return sound.error();
  // Calls that name or make resources ask the policy in their own functions, after the checks of those
  // resources.
  if (action.starts_with("Describe")) {
    if (auto permitted = permit(action, params); !permitted.ok()) return permitted.error();
  }
  return (this->*find_action(action))(params);
}

Status Ec2Service::permit(const std::string& action, const Params& params) const {
  std::vector<std::string> needed{"ec2:" + action};
  if (action == "RunInstances") {
    if (!params.structs("TagSpecification").empty()) needed.emplace_back("ec2:CreateTags");
    const bool profile = params.has("IamInstanceProfile.Arn") || params.has("IamInstanceProfile.Name");
    if (profile) needed.emplace_back("iam:PassRole");
    const bool spot = params.text("InstanceMarketOptions.MarketType") == "spot";
    if (spot) needed.emplace_back("iam:CreateServiceLinkedRole");
  }
  const auto denied = std::ranges::find_if(needed, [&](const auto& name) { return faults_.denies(name); });
  if (denied != needed.end()) return refuse_permission(*denied);
  if (!params.is_true("DryRun")) return Ok{};
  return ec2_error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.");
}

}  // namespace drover::localcloud
