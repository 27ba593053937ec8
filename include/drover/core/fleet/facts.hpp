#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/ids.hpp"

namespace drover::core {

// starting: the cloud knows it, it has not registered. active: claims. draining: finishes what it has, claims
// nothing. terminating: to be ended in the cloud (cordoned; holds no lease unless an operator asked). gone:
// ended.
enum class WorkerState { starting, active, draining, terminating, gone };
std::string_view to_string(WorkerState state);
std::optional<WorkerState> parse_worker_state(std::string_view text);
std::span<const std::string_view> worker_state_names();

// intended: committed, the call may or may not have been made. fulfilled: the cloud answered with instances.
// failed: the cloud refused for good (its code is kept). closed: nothing more will come of it.
enum class LaunchState { intended, fulfilled, failed, closed };
std::string_view to_string(LaunchState state);
std::optional<LaunchState> parse_launch_state(std::string_view text);

enum class Market { spot, on_demand };
enum class Provider { ec2, asg, none };
std::string_view to_string(Market market);
std::optional<Market> parse_market(std::string_view text);
std::span<const std::string_view> market_names();
std::string_view to_string(Provider provider);
std::optional<Provider> parse_provider(std::string_view text);

// How to get workers for a set of queues.
struct PoolSpec {
  std::string name;
  Provider provider = Provider::ec2;
  std::vector<std::string> queues;    // that its workers serve; empty: the queue of the pool's own name
  int min = 0;                        // instances kept even without work
  int max = 1;                        // instances at most, launches under way included
  int slots = 1;                      // jobs at once per worker
  double instances_per_job = 1.0;     // wanted instances = ceil(pending jobs × this / slots)
  int max_increase = 10;              // instances asked for in one tick at most
  Seconds idle_timeout{300};          // an idle worker older than this is scaled in
  Seconds registration_timeout{600};  // an instance that has not registered by then is terminated
  Market market = Market::spot;
  std::string image;                        // AMI id
  std::vector<std::string> instance_types;  // tried in order when one has no capacity
  std::vector<std::string> subnets;         // likewise; may be empty
  std::vector<std::string> security_groups;
  std::string instance_profile;  // IAM instance profile name
  std::string key_name;
  std::string max_price;                                  // dollars an hour, empty: the on-demand price
  int disk_gib = 0;                                       // root volume; 0: the image's own
  std::vector<std::pair<std::string, std::string>> tags;  // beside Drover's own, on all that a launch makes
  bool operator==(const PoolSpec&) const = default;
};

// The queues that a pool's workers serve.
[[nodiscard]] std::vector<std::string> queues_of(const PoolSpec& spec);

// The instance state as the cloud names it, plus what it says of the reason.
enum class InstanceState { pending, running, shutting_down, terminated, stopping, stopped, unknown };
std::string_view to_string(InstanceState state);  // EC2's own names: "shutting-down"
InstanceState parse_instance_state(std::string_view text);
// A machine that is listed in this state runs nothing any more, and never will.
[[nodiscard]] constexpr bool is_gone(InstanceState state) {
  return state != InstanceState::pending && state != InstanceState::running &&
         state != InstanceState::unknown;
}

// "i-" and 1 to 32 lower-case hexadecimal digits, as EC2 names its instances. The planner never judges a
// worker with another id by the cloud's listing, which cannot have it; nor is another id put into a request,
// where a wildcard would mean other instances too.
[[nodiscard]] bool is_instance_id(std::string_view id);

struct Instance {
  std::string id;  // "i-…"
  InstanceState state = InstanceState::unknown;
  std::string state_reason;  // stateReason.code, or what stands before ':' in its message; may be empty
  std::string client_token;
  std::string type;
  std::string zone;
  std::string private_ip;
  bool spot = false;
  std::optional<WallTime> launched_at;
  std::vector<std::pair<std::string, std::string>> tags;
  bool operator==(const Instance&) const = default;
};

// The frozen parameters of one RunInstances call. Stored with the intent; a replay sends exactly these.
struct LaunchRequest {
  std::string client_token;  // <= 64 ASCII
  int count = 1;             // MinCount is 1
  Market market = Market::spot;
  std::string image;
  std::string instance_type;
  std::string subnet;  // may be empty
  std::vector<std::string> security_groups;
  std::string instance_profile;
  std::string key_name;
  std::string max_price;
  std::string user_data;  // raw; <= 16 KiB
  int disk_gib = 0;
  std::vector<std::pair<std::string, std::string>> tags;  // on all that it makes
  bool operator==(const LaunchRequest&) const = default;
};

// The tag that marks an instance as this deployment's; its value is the deployment's UUID.
inline constexpr std::string_view kDeploymentTag = "drover:deployment";
inline constexpr std::string_view kPoolTag = "drover:pool";

// Whether an instance that shows its tags in its metadata may carry a tag of this key: EC2 refuses to launch
// it with any other.
bool fits_metadata(std::string_view tag_key);

}  // namespace drover::core
