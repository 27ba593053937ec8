#include "doctor_cloud.hpp"

#include <algorithm>
#include <array>
#include <iostream>
#include <vector>

#include <fmt/format.h>

#include "drover/app/embedded.hpp"
#include "drover/aws/ec2_cloud.hpp"
#include "drover/base/clock.hpp"
#include "drover/base/secret.hpp"

#include "parts.hpp"

namespace drover::app {
namespace {

using core::CloudError;
using core::CloudErrorClass;
using core::CloudStatus;

bool is_refused(const CloudStatus& tried) {
  return !tried.ok() && tried.error().error_class == CloudErrorClass::permission;
}

// EC2 checks permissions before parameters: a launch whose parameters it refuses is permitted.
bool is_permitted(const CloudStatus& tried) {
  return tried.ok() || tried.error().error_class == CloudErrorClass::config;
}

// The remedy for an error that does not depend on the call's parameters.
std::string call_remedy(const CloudError& error, const std::string& action) {
  switch (error.error_class) {
    case CloudErrorClass::permission:
      return fmt::format("allow {} in the policy of the daemon's role or user", action);
    case CloudErrorClass::credentials:
      return "EC2 does not accept the key: correct it, and check this machine's clock";
    case CloudErrorClass::throttle:
      return "others use up the account's rate of requests: try again later";
    default:
      return "check the network, cloud.region and cloud.endpoint";
  }
}

// The remedy for parameters of a pool that EC2 refuses, by EC2's codes.
std::string pool_remedy(const CloudError& error) {
  struct Cause {
    const char* code;
    const char* words;  // in the message; empty: any
    const char* remedy;
  };
  static constexpr std::array kCauses{
      Cause{"UnauthorizedOperation", "cannot be described",
            "allow ec2:DescribeImages in the policy of the daemon's role or user"},
      Cause{"InvalidAMIID", "", "correct the pool's image: an AMI of this region that this account may use"},
      Cause{"InvalidSubnet", "", "correct the pool's subnets: they are of this region and account"},
      Cause{"InvalidGroup", "", "correct the pool's security_groups: ids of groups in the subnets' VPC"},
      Cause{"InvalidSecurityGroup", "",
            "correct the pool's security_groups: ids of groups in the subnets' VPC"},
      Cause{"InvalidKeyPair", "", "correct the pool's key_name: a key pair of this region"},
      Cause{"", "nstanceProfile", "correct the pool's instance_profile: an instance profile of this account"},
      Cause{"", "nstance profile",
            "correct the pool's instance_profile: an instance profile of this account"},
      Cause{"", "nstance type", "correct the pool's instance_types: names of types that this region has"},
      Cause{"AuthFailure.ServiceLinkedRole", "",
            "make the role once: aws iam create-service-linked-role --aws-service-name spot.amazonaws.com"},
      Cause{"MissingInput", "", "name subnets in the pool: this account has no default VPC"},
      Cause{"VPCIdNotSpecified", "", "name subnets in the pool: this account has no default VPC"},
  };
  for (const Cause& cause : kCauses) {
    if (error.code.starts_with(cause.code) && error.message.find(cause.words) != std::string::npos)
      return cause.remedy;
  }
  if (error.error_class == CloudErrorClass::config) return "correct the pool as EC2 says";
  return call_remedy(error, "ec2:RunInstances");
}

core::LaunchRequest request_of(const core::PoolSpec& pool, const std::string& type, const std::string& subnet,
                               const std::string& deployment) {
  core::LaunchRequest request;
  request.client_token = random_token();
  request.market = pool.market;
  request.image = pool.image;
  request.instance_type = type;
  request.subnet = subnet;
  request.security_groups = pool.security_groups;
  request.instance_profile = pool.instance_profile;
  request.key_name = pool.key_name;
  request.max_price = pool.max_price;
  request.user_data = "#!/bin/sh\n";
  request.disk_gib = pool.disk_gib;
  request.tags = {{std::string(core::kDeploymentTag), deployment}, {std::string(core::kPoolTag), pool.name}};
  request.tags.insert(request.tags.end(), pool.tags.begin(), pool.tags.end());
  return request;
}

// Every type with the first subnet, and every other subnet with the first type.
std::vector<core::LaunchRequest> requests_of(const core::PoolSpec& pool, const std::string& deployment) {
  std::vector<core::LaunchRequest> out;
  const std::string first = pool.subnets.empty() ? "" : pool.subnets.front();
  for (const std::string& type : pool.instance_types)
    out.push_back(request_of(pool, type, first, deployment));
  for (std::size_t i = 1; i < pool.subnets.size() && !pool.instance_types.empty(); ++i)
    out.push_back(request_of(pool, pool.instance_types.front(), pool.subnets[i], deployment));
  return out;
}

// Which permission a refused launch lacks: EC2 names none, so it is asked again without what needs each.
std::string missing_permission(aws::Ec2Cloud& cloud, const core::LaunchRequest& refused) {
  core::LaunchRequest untagged = refused;
  untagged.tags.clear();
  core::LaunchRequest without_role = refused;
  without_role.instance_profile.clear();
  const bool has_role = !refused.instance_profile.empty();
  if (is_permitted(cloud.try_run_instances(untagged))) return "ec2:CreateTags";
  if (has_role && is_permitted(cloud.try_run_instances(without_role))) return "iam:PassRole";
  without_role.tags.clear();
  if (has_role && is_permitted(cloud.try_run_instances(without_role)))
    return "iam:PassRole and ec2:CreateTags";
  return "ec2:RunInstances";
}

class CloudCheck {
 public:
  CloudCheck(aws::Ec2Cloud& cloud, std::string deployment, Report& report)
      : cloud_(cloud), deployment_(std::move(deployment)), report_(report) {}

  // False: no other call can be tried.
  bool list() {
    auto listed = cloud_.list_by_tag(std::string(core::kDeploymentTag), deployment_);
    if (!listed.ok()) {
      note(listed.error());
      return report_.add("cloud", failed(core::describe(listed.error()),
                                         call_remedy(listed.error(), "ec2:DescribeInstances")));
    }
    instances_ = std::move(*listed);
    return report_.add("cloud", well("DescribeInstances is answered"));
  }

  void launch(const core::PoolSpec& pool) {
    const std::string name = "pool " + pool.name;
    for (const core::LaunchRequest& request : requests_of(pool, deployment_)) {
      const CloudStatus tried = cloud_.try_run_instances(request);
      if (tried.ok()) continue;
      note(tried.error());
      const std::string what =
          fmt::format("{} of {}{}{}: {}", request.instance_type, request.image,
                      request.subnet.empty() ? "" : " in ", request.subnet, core::describe(tried.error()));
      if (is_refused(tried) && tried.error().code == "UnauthorizedOperation") {
        const std::string permission = missing_permission(cloud_, request);
        report_.add(name, failed(what, fmt::format("allow {} in the policy of the daemon's role or user",
                                                   permission)));
      } else {
        report_.add(name, failed(what, pool_remedy(tried.error())));
      }
      return;
    }
    report_.add(name,
                well(fmt::format("RunInstances and CreateTags{} are allowed",
                                 pool.instance_profile.empty() ? "" : ", and PassRole for its profile,")));
  }

  void terminate() {
    const auto live = std::find_if(instances_.begin(), instances_.end(), [](const core::Instance& instance) {
      return !core::is_gone(instance.state);
    });
    if (live == instances_.end()) {
      report_.add("terminate", unchecked("TerminateInstances cannot be tried without a machine",
                                         "the policy must allow ec2:TerminateInstances"));
      return;
    }
    const CloudStatus tried = cloud_.try_terminate(live->id);
    if (!tried.ok()) note(tried.error());
    report_.add("terminate", tried.ok() ? well("TerminateInstances is allowed")
                                        : failed(core::describe(tried.error()),
                                                 call_remedy(tried.error(), "ec2:TerminateInstances")));
  }

  [[nodiscard]] bool lacks_permission() const { return lacks_permission_; }

 private:
  void note(const CloudError& error) {
    lacks_permission_ |= error.error_class == CloudErrorClass::permission;
  }

  aws::Ec2Cloud& cloud_;
  std::string deployment_;
  Report& report_;
  std::vector<core::Instance> instances_;
  bool lacks_permission_ = false;
};

// The pools that launch: those of the database, as a daemon uses them, and those of the file that are not in
// the database, as a daemon would make them.
std::vector<core::PoolSpec> launching_pools(const Settings& settings,
                                            const std::optional<postgres::Inspection>& store) {
  std::vector<core::PoolSpec> pools = store ? store->pools : std::vector<core::PoolSpec>{};
  for (const core::PoolSpec& pool : settings.pools) {
    const bool there = std::any_of(pools.begin(), pools.end(),
                                   [&](const core::PoolSpec& known) { return known.name == pool.name; });
    if (!there) pools.push_back(pool);
  }
  std::erase_if(pools, [](const core::PoolSpec& pool) { return pool.provider != core::Provider::ec2; });
  return pools;
}

}  // namespace

bool names_this_machine(const std::string& url) {
  return url.find("//127.") != std::string::npos || url.find("//localhost") != std::string::npos ||
         url.find("//[::1]") != std::string::npos;
}

std::string_view iam_policy() {
  return embedded_files().front().text;
}

void check_cloud(const Settings& settings, const std::optional<postgres::Inspection>& store,
                 ports::HttpClient& http, Report& report) {
  if (settings.cloud.provider == "none") {
    report.add("cloud", well("none: no machine is launched"));
    return;
  }
  const SystemClock clock;
  const auto parts = make_ec2(settings, http, clock);
  if (!parts.ok()) {
    report.add("cloud", failed(parts.error().message, "see the section [cloud] of the configuration"));
    return;
  }
  if (const auto credentials = parts->credentials->get(); !credentials.ok()) {
    report.add("credentials", failed(credentials.error().message,
                                     "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                                     "cloud.profile, or give the instance a role"));
    return;
  }
  report.add("credentials", well("found"));
  const bool known = store && store->deployment;
  CloudCheck check(*parts->cloud, known ? to_string(*store->deployment) : "doctor", report);
  if (check.list()) {
    const auto pools = launching_pools(settings, store);
    for (const core::PoolSpec& pool : pools) check.launch(pool);
    if (pools.empty()) {
      report.add("pools", unchecked("there is no pool, and RunInstances cannot be tried without one",
                                    "add a [[pool]] to the configuration, or POST /pools"));
    }
    check.terminate();
  }
  if (check.lacks_permission())
    std::cout << "\nThe policy that a daemon needs (drover doctor --policy prints it):\n" << iam_policy();
}

}  // namespace drover::app
