#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/json.hpp"
#include "drover/base/result.hpp"
#include "drover/core/fleet/facts.hpp"

namespace drover::localcloud {

using Tags = std::vector<std::pair<std::string, std::string>>;

struct Volume {
  std::string id;      // "vol-…"
  std::string device;  // "/dev/xvda"
  int size_gib = 0;
};

// One instance as it is kept on disk (instance.json) and listed.
struct Instance {
  std::int64_t sequence = 0;  // order of launch
  std::string id;
  std::string reservation;
  int launch_index = 0;
  core::InstanceState state = core::InstanceState::pending;
  std::string reason_code;     // stateReason.code, once it ends
  std::string reason_message;  // stateReason.message
  WallTime launched_at{};
  std::optional<WallTime> terminated_at;
  std::optional<WallTime> interrupt_at;  // set while a notice is out: when it is over
  std::string client_token;
  std::string parameters_hash;  // of the call, to compare a repeat of its client token
  std::string image;
  std::string type;
  std::string zone;
  std::string subnet;
  std::string private_ip;
  std::string key_name;
  std::vector<std::string> security_groups;
  core::Market market = core::Market::on_demand;
  std::string spot_request;  // "sir-…"
  std::string max_price;
  std::vector<Volume> volumes;    // the root volume first
  std::string network_interface;  // "eni-…"
  Tags tags;
  Tags volume_tags;
  Tags interface_tags;
  Tags spot_tags;
  bool shows_tags = false;              // in its metadata
  bool keeps_from_termination = false;  // by TerminateInstances
  bool keeps_from_stopping = false;     // by StopInstances
  bool stops_on_shutdown = false;       // when it shuts itself down; otherwise it is terminated then
  int boots = 1;
  // For the supervisor.
  std::string region;
  Millis shutdown_grace{2000};
  Tags environment;
};

Json to_json(const Instance& instance);
Result<Instance> instance_from_json(const Json& json);
Result<Instance> load_instance(const std::string& path);

// Not terminated.
[[nodiscard]] inline bool lives(const Instance& instance) {
  return instance.state != core::InstanceState::terminated;
}
// Neither terminated nor on the way there.
[[nodiscard]] inline bool runs(const Instance& instance) {
  return instance.state == core::InstanceState::pending || instance.state == core::InstanceState::running;
}

// Terminated or on the way there: it has given its address back.
[[nodiscard]] inline bool is_ending(const Instance& instance) {
  return instance.state == core::InstanceState::shutting_down ||
         instance.state == core::InstanceState::terminated;
}

// "code" of instanceState: 0 pending, 16 running, …
int state_code(core::InstanceState state);
// EC2 has whole seconds: "2026-01-02T03:04:05.000Z" in listings, without the fraction in IMDS.
std::string ec2_time(WallTime time);
std::string imds_time(WallTime time);

}  // namespace drover::localcloud
