#include <algorithm>
#include <map>

#include "drover/base/limits.hpp"
#include "drover/base/secret.hpp"
#include "drover/base/text.hpp"

#include "ec2_service.hpp"

// RunInstances: its many parameters, checked as EC2 checks them.
namespace drover::localcloud {

namespace {

Error missing(const std::string& name) {
  return ec2_error("MissingParameter", "The request must contain the parameter " + name);
}

Error bad_value(const std::string& name, const std::string& value) {
  return ec2_error("InvalidParameterValue", "Value (" + value + ") for parameter " + name + " is invalid.");
}

// Everything the call asks for but its token: a repeat must ask for the same.
std::string hash_of(const Params& params) {
  std::string text;
  for (const auto& [key, value] : params.all()) {
    if (key != "ClientToken")
      text += std::to_string(key.size()) + ":" + key + std::to_string(value.size()) + ":" + value;
  }
  return to_hex(sha256(text));
}

Result<int> count_of(const Params& params, const char* name) {
  const auto value = params.integer(name);
  if (!value) return value.error();
  if (!*value) return missing(name);
  if (**value < 1 || **value > 1'000'000) return bad_value(name, std::to_string(**value));
  return static_cast<int>(**value);
}

Status read_counts(const Params& params, LaunchSpec& spec) {
  const auto least = count_of(params, "MinCount");
  if (!least) return least.error();
  const auto most = count_of(params, "MaxCount");
  if (!most) return most.error();
  if (*least > *most) {
    return ec2_error("InvalidParameterCombination", "MinCount must not be greater than MaxCount.");
  }
  spec.min_count = *least;
  spec.max_count = *most;
  return Ok{};
}

Status read_market(const Params& params, LaunchSpec& spec) {
  const auto market = params.text("InstanceMarketOptions.MarketType");
  if (!market.empty() && market != "spot") return bad_value("MarketType", market);
  spec.market = market == "spot" ? core::Market::spot : core::Market::on_demand;
  const auto kind = params.text("InstanceMarketOptions.SpotOptions.SpotInstanceType");
  const auto behaviour = params.text("InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior");
  if (!kind.empty() && kind != "one-time") return bad_value("SpotInstanceType", kind);
  if (!behaviour.empty() && behaviour != "terminate")
    return bad_value("InstanceInterruptionBehavior", behaviour);
  spec.max_price = params.text("InstanceMarketOptions.SpotOptions.MaxPrice");
  if (spec.max_price.empty()) return Ok{};
  const bool decimal = spec.max_price.find_first_not_of("0123456789.") == std::string::npos &&
                       std::ranges::count(spec.max_price, '.') <= 1 && spec.max_price != ".";
  if (!decimal || std::strtod(spec.max_price.c_str(), nullptr) <= 0.001)
    return bad_value("price", spec.max_price);
  return Ok{};
}

Status read_tags(const Params& params, LaunchSpec& spec) {
  for (const auto& specification : params.structs("TagSpecification")) {
    const auto resource = specification.text("ResourceType");
    if (resource.empty()) return missing("TagSpecification.ResourceType");
    if (resource != "instance") continue;  // volumes and the like have no likeness here
    for (const auto& tag : specification.structs("Tag")) {
      const auto key = tag.text("Key");
      const bool twice =
          std::ranges::any_of(spec.tags, [&](const auto& known) { return known.first == key; });
      if (twice) return ec2_error("InvalidParameterValue", "Duplicate tag key '" + key + "' specified.");
      if (key.empty() || key.size() > 512 || key.starts_with("aws:")) return bad_value("tag key", key);
      spec.tags.emplace_back(key, tag.text("Value"));
    }
  }
  if (spec.tags.size() > 50) return ec2_error("TagLimitExceeded", "More than 50 tags for one resource.");
  return Ok{};
}

Status read_user_data(const Params& params, LaunchSpec& spec) {
  auto decoded = base64_decode(params.text("UserData"));
  if (!decoded) return ec2_error("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.");
  if (decoded->size() > limits::kUserDataBytes) {
    return ec2_error("InvalidParameterValue", "User data is limited to 16384 bytes");
  }
  spec.user_data = *std::move(decoded);
  return Ok{};
}

Status read_machine(const Params& params, LaunchSpec& spec) {
  spec.image = params.text("ImageId");
  if (spec.image.empty()) return missing("ImageId");
  if (!spec.image.starts_with("ami-") || spec.image.size() < 5) {
    return ec2_error("InvalidAMIID.Malformed", "Invalid id: \"" + spec.image + "\" (expecting \"ami-...\")");
  }
  spec.type = params.has("InstanceType") ? params.text("InstanceType") : "m1.small";
  if (!figures_of(spec.type)) return bad_value("InstanceType", spec.type);
  spec.client_token = params.text("ClientToken");
  if (spec.client_token.size() > 64) return bad_value("ClientToken", spec.client_token);
  const auto behaviour = params.text("InstanceInitiatedShutdownBehavior");
  if (!behaviour.empty() && behaviour != "stop" && behaviour != "terminate") {
    return bad_value("InstanceInitiatedShutdownBehavior", behaviour);
  }
  spec.key_name = params.text("KeyName");
  spec.security_groups = params.list("SecurityGroupId");
  return Ok{};
}

}  // namespace

std::vector<std::string> Ec2Service::zones() const {
  return {options_.region + "a", options_.region + "b", options_.region + "c"};
}

// A subnet lies in the zone that its id's last letter names; without one, each zone is tried.
Result<std::vector<std::string>> Ec2Service::zones_of(const Params& params) const {
  const auto all = zones();
  auto subnet = params.text("SubnetId");
  const auto interfaces = params.structs("NetworkInterface");
  if (!interfaces.empty()) {
    if (!subnet.empty() || !params.list("SecurityGroupId").empty()) {
      return ec2_error(
          "InvalidParameterCombination",
          "Network interfaces and an instance-level subnet ID or security groups may not be specified "
          "on the same request");
    }
    subnet = interfaces.front().text("SubnetId");
  }
  const auto zone = params.text("Placement.AvailabilityZone");
  if (!zone.empty() && std::ranges::find(all, zone) == all.end()) {
    return ec2_error("InvalidParameterValue", "Invalid availability zone: [" + zone + "]");
  }
  if (subnet.empty()) return zone.empty() ? all : std::vector{zone};
  for (const auto& candidate : all) {
    if (!subnet.starts_with("subnet-") || subnet.back() != candidate.back()) continue;
    if (zone.empty() || zone == candidate) return std::vector{candidate};
    return ec2_error("InvalidParameterValue", "The subnet is not in the availability zone " + zone);
  }
  return ec2_error("InvalidSubnetID.NotFound", "The subnet ID '" + subnet + "' does not exist");
}

Result<LaunchSpec> Ec2Service::parse_launch(const Params& params) const {
  LaunchSpec spec;
  for (auto* read : {read_machine, read_counts, read_market, read_tags, read_user_data}) {
    if (auto done = read(params, spec); !done) return done.error();
  }
  auto zones = zones_of(params);
  if (!zones) return zones.error();
  spec.zones = *std::move(zones);
  spec.subnet = params.text("SubnetId");
  if (const auto interfaces = params.structs("NetworkInterface"); !interfaces.empty()) {
    spec.subnet = interfaces.front().text("SubnetId");
    spec.security_groups = interfaces.front().list("SecurityGroupId");
  }
  spec.parameters_hash = hash_of(params);
  return spec;
}

Result<std::string> Ec2Service::run_instances(const Params& params) {
  auto spec = parse_launch(params);
  if (!spec) return spec.error();
  if (params.is_true("DryRun")) {
    return ec2_error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.");
  }
  const auto launched = fleet_.launch(*spec);
  if (!launched) return launched.error();
  Xml xml;
  xml.leaf("reservationId", launched->front().reservation).leaf("ownerId", "000000000000");
  xml.open("groupSet").close("groupSet").open("instancesSet");
  for (const auto& instance : *launched) write_instance(instance, xml);
  xml.close("instancesSet");
  return xml.text();
}

}  // namespace drover::localcloud
