#include <algorithm>
#include <array>

#include "drover/base/text.hpp"

#include "ec2_paging.hpp"
#include "ec2_service.hpp"

// What the region offers: zones, subnets, types, images.
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

bool among(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() || std::ranges::find(names, name) != names.end();
}

// An EC2 error for the first of `given` that is not among `known`.
Status check_among(const std::vector<std::string>& given, const std::vector<std::string>& known,
                   const std::string& what) {
  const auto unknown = std::ranges::find_if(given, [&](const auto& name) { return !among(known, name); });
  if (unknown == given.end()) return Ok{};
  return ec2_error("InvalidParameterValue", "Invalid " + what + ": [" + *unknown + "]");
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
  constexpr std::array<std::string_view, 4> kNames{"zone-name", "zone-id", "state", "region-name"};
  const auto filters = parse_filters(params, kNames);
  if (!filters.ok()) return filters.error();
  const auto names = params.list("ZoneName");
  const auto ids = params.list("ZoneId");
  for (const auto& given : {names, ids}) {
    if (auto known = check_among(given, zones(), "availability zone"); !known.ok()) return known.error();
  }
  Xml xml;
  xml.open("availabilityZoneInfo");
  for (const auto& zone : zones()) {
    if (!among(names, zone) || !among(ids, zone)) continue;
    if (!passes(*filters, "zone-name", zone) || !passes(*filters, "zone-id", zone) ||
        !passes(*filters, "state", "available") || !passes(*filters, "region-name", options_.region)) {
      continue;
    }
    xml.open("item")
        .leaf("zoneName", zone)
        .leaf("zoneState", "available")
        .leaf("regionName", options_.region);
    xml.leaf("zoneId", zone).close("item");
  }
  xml.close("availabilityZoneInfo");
  return xml.text();
}

Result<std::string> Ec2Service::describe_regions(const Params& params) {
  constexpr std::array<std::string_view, 3> kNames{"endpoint", "opt-in-status", "region-name"};
  constexpr const char* kOptIn = "opt-in-not-required";
  const auto filters = parse_filters(params, kNames);
  if (!filters.ok()) return filters.error();
  if (auto known = check_among(params.list("RegionName"), {options_.region}, "region"); !known.ok()) {
    return known.error();
  }
  const auto endpoint = "ec2." + options_.region + ".amazonaws.com";
  Xml xml;
  xml.open("regionInfo");
  if (passes(*filters, "endpoint", endpoint) && passes(*filters, "opt-in-status", kOptIn) &&
      passes(*filters, "region-name", options_.region)) {
    xml.open("item").leaf("regionName", options_.region);
    xml.leaf("regionEndpoint", endpoint).leaf("optInStatus", kOptIn).close("item");
  }
  xml.close("regionInfo");
  return xml.text();
}

Result<std::string> Ec2Service::describe_subnets(const Params& params) {
  constexpr std::array<std::string_view, 4> kNames{"subnet-id", "availability-zone", "vpc-id", "state"};
  const auto filters = parse_filters(params, kNames);
  if (!filters.ok()) return filters.error();
  // The default subnets, unless others are asked for by id. Any id that a launch would accept for a subnet is
  // one.
  auto ids = params.list("SubnetId");
  if (ids.empty()) {
    for (const auto& zone : zones()) ids.push_back("subnet-0000000" + zone.substr(zone.size() - 1));
  }
  std::vector<std::string> items;
  for (const auto& id : ids) {
    const auto zone = zone_of_subnet(id);
    if (!zone.ok()) return zone.error();
    if (!passes(*filters, "subnet-id", id) || !passes(*filters, "availability-zone", *zone) ||
        !passes(*filters, "vpc-id", "vpc-00000000") || !passes(*filters, "state", "available")) {
      continue;
    }
    Xml xml;
    xml.open("item").leaf("subnetId", id).leaf("state", "available").leaf("vpcId", "vpc-00000000");
    xml.leaf("cidrBlock", "127.64.0.0/10").leaf("availableIpAddressCount", "4194304");
    xml.leaf("availabilityZone", *zone).leaf("defaultForAz", "true").close("item");
    items.push_back(xml.text());
  }
  return page_of(params, "subnetSet", items);
}

Result<std::string> Ec2Service::describe_types(const Params& params) {
  constexpr std::array<std::string_view, 1> kNames{"instance-type"};
  const auto filters = parse_filters(params, kNames);
  if (!filters.ok()) return filters.error();
  auto names = params.list("InstanceType");
  if (names.empty()) names.assign(kListedTypes.begin(), kListedTypes.end());
  std::vector<std::string> items;
  for (const auto& name : names) {
    const auto figures = figures_of(name);
    if (!figures) {
      return ec2_error("InvalidInstanceType",
                       "The following supplied instance types do not exist: [" + name + "]");
    }
    if (!passes(*filters, "instance-type", name)) continue;
    Xml xml;
    xml.open("item").leaf("instanceType", name).leaf("currentGeneration", "true");
    xml.open("supportedUsageClasses")
        .leaf("item", "on-demand")
        .leaf("item", "spot")
        .close("supportedUsageClasses");
    xml.open("processorInfo").open("supportedArchitectures").leaf("item", figures->arm ? "arm64" : "x86_64");
    xml.close("supportedArchitectures").close("processorInfo");
    xml.open("vCpuInfo").leaf("defaultVCpus", std::to_string(figures->vcpus)).close("vCpuInfo");
    xml.open("memoryInfo").leaf("sizeInMiB", std::to_string(figures->mem_mib)).close("memoryInfo");
    xml.close("item");
    items.push_back(xml.text());
  }
  return page_of(params, "instanceTypeSet", items);
}

Result<std::string> Ec2Service::describe_offerings(const Params& params) {
  constexpr std::array<std::string_view, 2> kNames{"instance-type", "location"};
  const auto filters = parse_filters(params, kNames);
  if (!filters.ok()) return filters.error();
  const auto kind = params.has("LocationType") ? params.text("LocationType") : std::string("region");
  const auto places = kind == "region"    ? std::vector{options_.region}
                      : kind == "outpost" ? std::vector<std::string>{}
                                          : zones();
  std::vector<std::string> items;
  for (const auto& place : places) {
    for (const std::string type : kListedTypes) {
      if (!passes(*filters, "instance-type", type) || !passes(*filters, "location", place)) continue;
      Xml xml;
      xml.open("item").leaf("instanceType", type).leaf("locationType", kind).leaf("location", place);
      xml.close("item");
      items.push_back(xml.text());
    }
  }
  return page_of(params, "instanceTypeOfferingSet", items);
}

// STS answers on the same port, so that "who am I" works.
Result<std::string> Ec2Service::get_caller_identity(const Params&) {
  Xml xml;
  xml.open("GetCallerIdentityResult").leaf("Arn", "arn:aws:iam::000000000000:user/local");
  xml.leaf("UserId", options_.access_key).leaf("Account", "000000000000").close("GetCallerIdentityResult");
  return xml.text();
}

}  // namespace drover::localcloud
