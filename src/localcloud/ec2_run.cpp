#include <algorithm>
#include <set>

#include "drover/base/limits.hpp"
#include "drover/base/secret.hpp"
#include "drover/base/text.hpp"

#include "ec2_parameters.hpp"
#include "ec2_service.hpp"

// RunInstances: its many parameters, checked as EC2 checks them.
namespace drover::localcloud {

namespace {

// Everything the call asks for but its token: a repeat must ask for the same.
std::string hash_of(const Params& params) {
  std::string text;
  for (const auto& [key, value] : params.all()) {
    if (key == "ClientToken") continue;
    text.append(std::to_string(key.size())).append(":").append(key);
    text.append(std::to_string(value.size())).append(":").append(value);
  }
  return to_hex(sha256(text));
}

Error combination(std::string message) {
  return ec2_error("InvalidParameterCombination", std::move(message));
}

Error unsupported(std::string message) {
  return ec2_error("UnsupportedOperation", std::move(message));
}

Status read_counts(const Params& params, LaunchSpec& spec) {
  spec.min_count = params.number("MinCount");
  spec.max_count = params.number("MaxCount");
  if (spec.min_count <= spec.max_count) return Ok{};
  return combination("MinCount must not be greater than MaxCount.");
}

Status read_market(const Params& params, LaunchSpec& spec) {
  const auto market = params.text("InstanceMarketOptions.MarketType");
  const auto kind = params.text("InstanceMarketOptions.SpotOptions.SpotInstanceType");
  const auto behaviour = params.text("InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior");
  if (!market.empty() && market != "spot")
    return unsupported("The market " + market + " is not offered here.");
  if (kind == "persistent") return unsupported("Persistent Spot Instance requests are not offered here.");
  if (!behaviour.empty() && behaviour != "terminate") {
    return combination(
        "The request with type 'one-time' is not supported when instanceInterruptionBehavior is set to '" +
        behaviour + "'.");
  }
  spec.market = market == "spot" ? core::Market::spot : core::Market::on_demand;
  const bool spot = spec.market == core::Market::spot;
  if (spot && spec.keeps_from_termination) {
    return unsupported("Termination protection cannot be enabled for Spot Instances.");
  }
  spec.stops_on_shutdown = !spot && params.text("InstanceInitiatedShutdownBehavior") != "terminate";
  spec.max_price = params.text("InstanceMarketOptions.SpotOptions.MaxPrice");
  if (spec.max_price.empty()) return Ok{};
  const bool decimal = spec.max_price.find_first_not_of("0123456789.") == std::string::npos &&
                       std::ranges::count(spec.max_price, '.') <= 1 && spec.max_price != ".";
  if (!decimal || std::strtod(spec.max_price.c_str(), nullptr) <= 0.001)
    return bad_parameter("price", spec.max_price);
  return Ok{};
}

Result<Tags> tags_in(const Params& specification) {
  Tags out;
  for (const auto& tag : specification.structs("Tag")) {
    const auto key = tag.text("Key");
    auto value = tag.text("Value");
    if (std::ranges::any_of(out, [&](const auto& known) { return known.first == key; })) {
      return ec2_error("InvalidParameterValue", "Duplicate tag key '" + key + "' specified.");
    }
    if (auto sound = check_tag(key, value); !sound.ok()) return sound.error();
    out.emplace_back(key, std::move(value));
  }
  if (out.size() > 50) return ec2_error("TagLimitExceeded", "More than 50 tags for one resource.");
  return out;
}

Status read_tags(const Params& params, LaunchSpec& spec) {
  spec.shows_tags = params.text("MetadataOptions.InstanceMetadataTags") == "enabled";
  std::set<std::string> seen;
  for (const auto& specification : params.structs("TagSpecification")) {
    const auto resource = specification.text("ResourceType");
    if (resource.empty()) return missing_parameter("TagSpecification.ResourceType");
    if (!seen.insert(resource).second) {
      return ec2_error("InvalidParameterValue", "The resource type '" + resource + "' is specified twice.");
    }
    if (resource == "spot-instances-request" && spec.market != core::Market::spot) {
      return combination(
          "You cannot specify tags for Spot instances requests if there are no Spot instances requests being "
          "created by the request.");
    }
    auto tags = tags_in(specification);
    if (!tags.ok()) return tags.error();
    for (const auto& [key, value] : spec.shows_tags&& resource == "instance" ? *tags : Tags()) {
      if (auto fits = check_metadata_tag(key); !fits.ok()) return fits;
    }
    if (resource == "instance") {
      spec.tags = *std::move(tags);
    } else if (resource == "volume") {
      spec.volume_tags = *std::move(tags);
    } else if (resource == "network-interface") {
      spec.interface_tags = *std::move(tags);
    } else if (resource == "spot-instances-request") {
      spec.spot_tags = *std::move(tags);
    }
  }
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

// No template can be made here, so none exists.
Status check_template(const Params& params) {
  const auto id = params.text("LaunchTemplate.LaunchTemplateId");
  const auto name = params.text("LaunchTemplate.LaunchTemplateName");
  if (id.empty() && name.empty()) {
    if (!params.has("LaunchTemplate.Version")) return Ok{};
    return missing_parameter("LaunchTemplate.LaunchTemplateId or LaunchTemplate.LaunchTemplateName");
  }
  if (!id.empty() && !name.empty()) {
    return combination("Specify a launch template by its ID or by its name, not by both.");
  }
  if (!name.empty()) {
    return ec2_error("InvalidLaunchTemplateName.NotFoundException",
                     "The specified launch template, with template name " + name + ", does not exist.");
  }
  if (!id.starts_with("lt-") || id.size() < 4) {
    return ec2_error("InvalidLaunchTemplateId.Malformed",
                     "Invalid id: \"" + id + "\" (expecting \"lt-...\")");
  }
  return ec2_error("InvalidLaunchTemplateId.NotFound",
                   "The specified launch template, with template ID " + id + ", does not exist.");
}

Status check_profile(const Params& params) {
  const auto arn = params.text("IamInstanceProfile.Arn");
  const auto name = params.text("IamInstanceProfile.Name");
  if (!arn.empty() && !name.empty()) {
    return combination("Specify an instance profile by its ARN or by its name, not by both.");
  }
  if (!arn.empty() && !(arn.starts_with("arn:") && arn.find(":instance-profile/") != std::string::npos)) {
    return bad_parameter("iamInstanceProfile.arn", arn, "Invalid IAM Instance Profile ARN");
  }
  constexpr std::string_view kOfNames =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+=,.@_-";
  if (name.find_first_not_of(kOfNames) == std::string::npos) return Ok{};
  return bad_parameter("iamInstanceProfile.name", name, "Invalid IAM Instance Profile name");
}

Status check_groups(const std::vector<std::string>& groups) {
  for (const auto& group : groups) {
    if (group.starts_with("sg-") && group.size() > 3) continue;
    return ec2_error("InvalidGroupId.Malformed", "Invalid id: \"" + group + "\" (expecting \"sg-...\")");
  }
  return Ok{};
}

Status read_machine(const Params& params, LaunchSpec& spec) {
  if (auto found = check_template(params); !found.ok()) return found;
  spec.image = params.text("ImageId");
  if (spec.image.empty()) return missing_parameter("ImageId");
  const auto image = image_of(spec.image);
  if (!image.ok()) return image.error();
  auto volumes = volumes_of(params, *image);
  if (!volumes.ok()) return volumes.error();
  spec.volumes = *std::move(volumes);
  spec.type = params.has("InstanceType") ? params.text("InstanceType") : "m1.small";
  if (!figures_of(spec.type)) return bad_parameter("InstanceType", spec.type);
  spec.client_token = params.text("ClientToken");
  if (spec.client_token.size() > 64) return bad_parameter("ClientToken", spec.client_token);
  if (auto sound = check_profile(params); !sound.ok()) return sound;
  spec.keeps_from_termination = params.is_true("DisableApiTermination");
  spec.keeps_from_stopping = params.is_true("DisableApiStop");
  spec.key_name = params.text("KeyName");
  spec.security_groups = params.list("SecurityGroupId");
  return check_groups(spec.security_groups);
}

}  // namespace

std::vector<std::string> Ec2Service::zones() const {
  return {options_.region + "a", options_.region + "b", options_.region + "c"};
}

// Without a subnet each zone is tried.
Result<std::vector<std::string>> Ec2Service::zones_of(const Params& params) const {
  const auto all = zones();
  auto subnet = params.text("SubnetId");
  const auto interfaces = params.structs("NetworkInterface");
  if (!interfaces.empty()) {
    for (const auto& interface : interfaces) {
      if (!interface.has("DeviceIndex")) return missing_parameter("NetworkInterface.DeviceIndex");
      if (auto sound = check_groups(interface.list("SecurityGroupId")); !sound.ok()) return sound.error();
    }
    if (!subnet.empty() || !params.list("SecurityGroupId").empty() || !params.list("SecurityGroup").empty()) {
      return ec2_error("InvalidParameterCombination",
                       "Network interfaces and an instance-level subnet ID or security groups may not be "
                       "specified on the same request");
    }
    subnet = interfaces.front().text("SubnetId");
  }
  const auto zone = params.text("Placement.AvailabilityZone");
  if (!zone.empty() && std::ranges::find(all, zone) == all.end()) {
    return ec2_error("InvalidParameterValue", "Invalid availability zone: [" + zone + "]");
  }
  if (subnet.empty()) return zone.empty() ? all : std::vector{zone};
  auto of_subnet = zone_of_subnet(subnet);
  if (!of_subnet.ok()) return of_subnet.error();
  if (zone.empty() || zone == *of_subnet) return std::vector{*std::move(of_subnet)};
  return ec2_error("InvalidParameterValue", "The subnet is not in the availability zone " + zone);
}

// A subnet lies in the zone that its id's last letter names.
Result<std::string> Ec2Service::zone_of_subnet(const std::string& subnet) const {
  for (auto& zone : zones()) {
    if (subnet.starts_with("subnet-") && subnet.back() == zone.back()) return std::move(zone);
  }
  return ec2_error("InvalidSubnetID.NotFound", "The subnet ID '" + subnet + "' does not exist");
}

Result<LaunchSpec> Ec2Service::parse_launch(const Params& params) const {
  LaunchSpec spec;
  for (auto* read : {read_machine, read_counts, read_market, read_tags, read_user_data}) {
    if (auto done = read(params, spec); !done.ok()) return done.error();
  }
  auto zones = zones_of(params);
  if (!zones.ok()) return zones.error();
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
  if (!spec.ok()) return spec.error();
  if (auto permitted = permit("RunInstances", params); !permitted.ok()) return permitted.error();
  const auto launched = fleet_.launch(*spec);
  if (!launched.ok()) return launched.error();
  Xml xml;
  xml.leaf("reservationId", launched->front().reservation).leaf("ownerId", "000000000000");
  xml.open("groupSet").close("groupSet").open("instancesSet");
  for (const auto& instance : *launched) write_instance(instance, xml);
  xml.close("instancesSet");
  return xml.text();
}

}  // namespace drover::localcloud
