#include <algorithm>
#include <array>
#include <map>

#include "drover/base/text.hpp"

#include "ec2_service.hpp"

// What the region offers: zones, subnets, types, images; and the table of actions.
namespace drover::localcloud {

namespace {

// Types that are listed when none is named; any name of the right shape can be launched.
constexpr std::array kListedTypes = {"t3.micro",  "t3.small", "t3.medium", "t3.large",  "m5.large",
                                     "m5.xlarge", "c5.large", "c5.xlarge", "c7g.large", "r5.large"};

struct Size {
  std::string_view name;
  int vcpus;
  int mem_mib;
};
constexpr std::array kSizes = {Size{"nano", 2, 512},     Size{"micro", 2, 1024}, Size{"small", 2, 2048},
                               Size{"medium", 2, 4096},  Size{"large", 2, 8192}, Size{"xlarge", 4, 16384},
                               Size{"metal", 96, 393216}};

bool is_name(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

// "c7g", "m6gd", "t4g": Graviton has a g after the generation.
bool is_arm(std::string_view family) {
  const auto digit = family.find_first_of("0123456789");
  return digit != std::string_view::npos && digit + 1 < family.size() && family[digit + 1] == 'g';
}

// The values of a filter by name; nullptr when the call has no such filter.
using Wanted = std::map<std::string, std::vector<std::string>, std::less<>>;
Wanted wanted_of(const Params& params) {
  Wanted out;
  for (const auto& filter : params.structs("Filter")) out[filter.text("Name")] = filter.list("Value");
  return out;
}
bool passes(const Wanted& wanted, std::string_view name, std::string_view value) {
  const auto at = wanted.find(name);
  return at == wanted.end() || matches_any(at->second, value);
}

}  // namespace

std::optional<TypeFigures> figures_of(const std::string& type) {
  const auto dot = type.find('.');
  if (dot == std::string::npos) return std::nullopt;
  const auto family = std::string_view(type).substr(0, dot);
  const auto size = std::string_view(type).substr(dot + 1);
  if (!is_name(family) || !is_name(size)) return std::nullopt;
  TypeFigures out{0, 0, is_arm(family)};
  for (const auto& known : kSizes) {
    if (known.name == size) return TypeFigures{known.vcpus, known.mem_mib, out.arm};
  }
  constexpr std::string_view kMultiple = "xlarge";
  if (!size.ends_with(kMultiple)) return std::nullopt;
  const auto times = parse_int(size.substr(0, size.size() - kMultiple.size()));
  if (!times || *times < 2 || *times > 112) return std::nullopt;
  out.vcpus = static_cast<int>(*times) * 4;
  out.mem_mib = static_cast<int>(*times) * 16384;
  return out;
}

Result<std::string> Ec2Service::describe_zones(const Params& params) {
  const auto wanted = wanted_of(params);
  const auto names = params.list("ZoneName");
  Xml xml;
  xml.open("availabilityZoneInfo");
  for (const auto& zone : zones()) {
    if (!passes(wanted, "zone-name", zone) || (!names.empty() && !matches_any(names, zone))) continue;
    xml.open("item")
        .leaf("zoneName", zone)
        .leaf("zoneState", "available")
        .leaf("regionName", options_.region);
    xml.leaf("zoneId", zone).close("item");
  }
  xml.close("availabilityZoneInfo");
  return xml.text();
}

Result<std::string> Ec2Service::describe_regions(const Params&) {
  Xml xml;
  xml.open("regionInfo").open("item").leaf("regionName", options_.region);
  xml.leaf("regionEndpoint", "ec2." + options_.region + ".amazonaws.com")
      .leaf("optInStatus", "opt-in-not-required");
  xml.close("item").close("regionInfo");
  return xml.text();
}

Result<std::string> Ec2Service::describe_subnets(const Params& params) {
  const auto wanted = wanted_of(params);
  const auto ids = params.list("SubnetId");
  Xml xml;
  xml.open("subnetSet");
  for (const auto& zone : zones()) {
    const auto id = "subnet-0000000" + zone.substr(zone.size() - 1);
    if (!passes(wanted, "subnet-id", id) || !passes(wanted, "availability-zone", zone)) continue;
    if (!ids.empty() && !matches_any(ids, id)) continue;
    xml.open("item").leaf("subnetId", id).leaf("state", "available").leaf("vpcId", "vpc-00000000");
    xml.leaf("cidrBlock", "127.64.0.0/10").leaf("availableIpAddressCount", "4194304");
    xml.leaf("availabilityZone", zone).leaf("defaultForAz", "true").close("item");
  }
  xml.close("subnetSet");
  return xml.text();
}

Result<std::string> Ec2Service::describe_types(const Params& params) {
  const auto wanted = wanted_of(params);
  auto names = params.list("InstanceType");
  if (names.empty()) names.assign(kListedTypes.begin(), kListedTypes.end());
  Xml xml;
  xml.open("instanceTypeSet");
  for (const auto& name : names) {
    const auto figures = figures_of(name);
    if (!figures) {
      return ec2_error("InvalidInstanceType",
                       "The following supplied instance types do not exist: [" + name + "]");
    }
    if (!passes(wanted, "instance-type", name)) continue;
    xml.open("item").leaf("instanceType", name).leaf("currentGeneration", "true");
    xml.open("supportedUsageClasses")
        .leaf("item", "on-demand")
        .leaf("item", "spot")
        .close("supportedUsageClasses");
    xml.open("processorInfo").open("supportedArchitectures").leaf("item", figures->arm ? "arm64" : "x86_64");
    xml.close("supportedArchitectures").close("processorInfo");
    xml.open("vCpuInfo").leaf("defaultVCpus", std::to_string(figures->vcpus)).close("vCpuInfo");
    xml.open("memoryInfo")
        .leaf("sizeInMiB", std::to_string(figures->mem_mib))
        .close("memoryInfo")
        .close("item");
  }
  xml.close("instanceTypeSet");
  return xml.text();
}

Result<std::string> Ec2Service::describe_offerings(const Params& params) {
  const auto wanted = wanted_of(params);
  const auto kind = params.has("LocationType") ? params.text("LocationType") : std::string("region");
  const auto places = kind == "region" ? std::vector{options_.region} : zones();
  Xml xml;
  xml.open("instanceTypeOfferingSet");
  for (const auto& place : places) {
    for (const std::string type : kListedTypes) {
      if (!passes(wanted, "instance-type", type) || !passes(wanted, "location", place)) continue;
      xml.open("item")
          .leaf("instanceType", type)
          .leaf("locationType", kind)
          .leaf("location", place)
          .close("item");
    }
  }
  xml.close("instanceTypeOfferingSet");
  return xml.text();
}

Result<std::string> Ec2Service::describe_images(const Params& params) {
  auto ids = params.list("ImageId");
  if (ids.empty()) ids.emplace_back("ami-00000000");
  Xml xml;
  xml.open("imagesSet");
  for (const auto& id : ids) {
    if (!id.starts_with("ami-")) return ec2_error("InvalidAMIID.Malformed", "Invalid id: \"" + id + "\"");
    xml.open("item").leaf("imageId", id).leaf("imageState", "available").leaf("name", "this machine");
    xml.leaf("architecture", "x86_64")
        .leaf("imageType", "machine")
        .leaf("rootDeviceName", "/dev/xvda")
        .close("item");
  }
  xml.close("imagesSet");
  return xml.text();
}

// STS answers on the same port, so that "who am I" works.
Result<std::string> Ec2Service::get_caller_identity(const Params&) {
  Xml xml;
  xml.open("GetCallerIdentityResult").leaf("Arn", "arn:aws:iam::000000000000:user/local");
  xml.leaf("UserId", options_.access_key).leaf("Account", "000000000000").close("GetCallerIdentityResult");
  return xml.text();
}

Ec2Service::Action Ec2Service::find_action(const std::string& action) {
  static constexpr std::array<std::pair<std::string_view, Action>, 16> kActions{{
      {"RunInstances", &Ec2Service::run_instances},
      {"DescribeInstances", &Ec2Service::describe_instances},
      {"TerminateInstances", &Ec2Service::terminate_instances},
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
  for (const auto& [key, value] : params.all()) {
    // The plain Query protocol's lists; EC2's are flattened.
    if (key.find(".member.") != std::string::npos) {
      return ec2_error("UnknownParameter", "The parameter " + key + " is not recognized");
    }
  }
  if (params.is_true("DryRun") && action != "RunInstances") {
    return ec2_error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.");
  }
  return (this->*find_action(action))(params);
}

}  // namespace drover::localcloud
