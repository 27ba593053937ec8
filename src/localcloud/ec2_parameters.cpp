#include "ec2_parameters.hpp"

#include <algorithm>
#include <array>

#include "drover/base/text.hpp"

namespace drover::localcloud {

namespace {

using namespace parameter;
using Kind = Parameter::Kind;

constexpr std::array kOfEveryCall = {text("Action"), text("Version"), flag("DryRun")};
constexpr std::array kOfStsCalls = {text("Action"), text("Version")};
constexpr Parameter kNextToken = text("NextToken");
constexpr std::array kOfListings = {text("Filter.N.Name"), text("Filter.N.Value.N")};

constexpr std::array kDescribeInstances = {text("InstanceId.N"), flag("IncludeManagedResources"),
                                           number("MaxResults", 5, 1000)};
constexpr std::array kDescribeInstanceStatus = {text("InstanceId.N"), flag("IncludeAllInstances"),
                                                flag("IncludeManagedResources"),
                                                number("MaxResults", 5, 1000)};
constexpr std::array kDescribeSpotRequests = {text("SpotInstanceRequestId.N"), number("MaxResults", 5, 1000)};
constexpr std::array kDescribeTags = {number("MaxResults", 5, 1000)};
constexpr std::array kDescribeZones = {text("ZoneName.N"), text("ZoneId.N"), flag("AllAvailabilityZones")};
constexpr std::array kDescribeRegions = {text("RegionName.N"), flag("AllRegions")};
constexpr std::array kDescribeSubnets = {text("SubnetId.N"), number("MaxResults", 5, 1000)};
constexpr std::array kDescribeTypes = {text("InstanceType.N"), flag("IncludeUnsupportedInRegion"),
                                       number("MaxResults", 5, 100)};
constexpr std::array kDescribeOfferings = {
    choice("LocationType", "region|availability-zone|availability-zone-id|outpost"),
    number("MaxResults", 5, 1000)};
constexpr std::array kDescribeImages = {text("ExecutableBy.N"),  text("ImageId.N"),
                                        text("Owner.N"),         flag("IncludeDeprecated"),
                                        flag("IncludeDisabled"), number("MaxResults", 1, 1000)};
constexpr std::array kTerminate = {text("InstanceId.N"), flag("Force"), flag("SkipOsShutdown")};
constexpr std::array kStop = {text("InstanceId.N"), flag("Force"), flag("Hibernate"), flag("SkipOsShutdown")};
constexpr std::array kStart = {text("InstanceId.N"), text("AdditionalInfo")};
constexpr std::array kModify = {
    text("InstanceId"),
    choice("Attribute",
           "instanceType|kernel|ramdisk|userData|disableApiTermination|instanceInitiatedShutdownBehavior|"
           "rootDeviceName|blockDeviceMapping|productCodes|sourceDestCheck|groupSet|ebsOptimized|"
           "sriovNetSupport|enaSupport|enclaveOptions|disableApiStop"),
    text("Value"),
    text("BlockDeviceMapping.N.DeviceName"),
    flag("BlockDeviceMapping.N.Ebs.DeleteOnTermination"),
    text("BlockDeviceMapping.N.Ebs.VolumeId"),
    text("BlockDeviceMapping.N.NoDevice"),
    text("BlockDeviceMapping.N.VirtualName"),
    flag("DisableApiStop.Value"),
    flag("DisableApiTermination.Value"),
    flag("EbsOptimized.Value"),
    flag("EnaSupport.Value"),
    text("GroupId.N"),
    choice("InstanceInitiatedShutdownBehavior.Value", "stop|terminate"),
    text("InstanceType.Value"),
    text("Kernel.Value"),
    text("Ramdisk.Value"),
    flag("SourceDestCheck.Value"),
    text("SriovNetSupport.Value"),
    base64("UserData.Value")};
constexpr std::array kTags = {text("ResourceId.N"), text("Tag.N.Key"), text("Tag.N.Value")};
constexpr std::array kConsole = {text("InstanceId"), flag("Latest")};

constexpr std::array<std::string_view, 2> kCounts{"MinCount", "MaxCount"};
constexpr std::array<std::string_view, 1> kIds{"InstanceId.N"};
constexpr std::array<std::string_view, 1> kId{"InstanceId"};
constexpr std::array<std::string_view, 2> kResourcesAndTags{"ResourceId.N", "Tag.N.Key"};
constexpr std::array<std::string_view, 1> kResources{"ResourceId.N"};

struct Call {
  std::string_view action;
  std::span<const Parameter> parameters;
  std::span<const std::string_view> required = {};
};
const Call* find_call(std::string_view action) {
  static const std::array kCalls = {
      Call{"RunInstances", launch_parameters(), kCounts},
      Call{"DescribeInstances", kDescribeInstances},
      Call{"DescribeInstanceStatus", kDescribeInstanceStatus},
      Call{"DescribeSpotInstanceRequests", kDescribeSpotRequests},
      Call{"DescribeTags", kDescribeTags},
      Call{"DescribeAvailabilityZones", kDescribeZones},
      Call{"DescribeRegions", kDescribeRegions},
      Call{"DescribeSubnets", kDescribeSubnets},
      Call{"DescribeInstanceTypes", kDescribeTypes},
      Call{"DescribeInstanceTypeOfferings", kDescribeOfferings},
      Call{"DescribeImages", kDescribeImages},
      Call{"TerminateInstances", kTerminate, kIds},
      Call{"StopInstances", kStop, kIds},
      Call{"StartInstances", kStart, kIds},
      Call{"ModifyInstanceAttribute", kModify, kId},
      Call{"CreateTags", kTags, kResourcesAndTags},
      Call{"DeleteTags", kTags, kResources},
      Call{"GetConsoleOutput", kConsole, kId},
      Call{"GetCallerIdentity", {}},
  };
  const auto* at = std::ranges::find(kCalls, action, &Call::action);
  return at == kCalls.end() ? nullptr : at;
}

// "1", "23": a list's items are numbered from 1.
bool is_item_number(std::string_view word) {
  return !word.empty() && word.size() <= 6 && word.front() != '0' &&
         word.find_first_not_of("0123456789") == std::string_view::npos;
}

// Whether `name` is the pattern with a number in the place of every N.
bool fits(std::string_view pattern, std::string_view name) {
  for (;;) {
    const auto expected = pattern.substr(0, pattern.find('.'));
    const auto word = name.substr(0, name.find('.'));
    if (expected == "N" ? !is_item_number(word) : expected != word) return false;
    const bool more = expected.size() < pattern.size();
    if (more != (word.size() < name.size())) return false;
    if (!more) return true;
    pattern.remove_prefix(expected.size() + 1);
    name.remove_prefix(word.size() + 1);
  }
}

const Parameter* find_in(std::span<const Parameter> parameters, std::string_view name) {
  const auto at =
      std::ranges::find_if(parameters, [&](const auto& parameter) { return fits(parameter.name, name); });
  return at == parameters.end() ? nullptr : &*at;
}

const Parameter* find_parameter(const Call& call, std::string_view name) {
  const bool sts = call.action == "GetCallerIdentity";
  if (const auto* common = find_in(sts ? std::span<const Parameter>(kOfStsCalls) : kOfEveryCall, name)) {
    return common;
  }
  if (const auto* own = find_in(call.parameters, name)) return own;
  if (!call.action.starts_with("Describe")) return nullptr;
  if (name == kNextToken.name)
    return find_in(call.parameters, "MaxResults") != nullptr ? &kNextToken : nullptr;
  return find_in(kOfListings, name);
}

std::string readable(std::string_view choices) {
  std::string out;
  for (const auto word : split(choices, '|')) out.append(out.empty() ? "" : ", ").append(word);
  return out;
}

// What the value must be and is not; empty when it is.
std::string fault_of(const Parameter& parameter, const std::string& value) {
  switch (parameter.kind) {
    case Kind::text:
      return {};
    case Kind::flag:
      return value == "true" || value == "false" ? "" : "Expecting true or false.";
    case Kind::number: {
      const auto number = parse_int(value);
      if (!number) return "Expecting an integer.";
      if (*number >= parameter.least && *number <= parameter.most) return {};
      return "Expecting a value between " + std::to_string(parameter.least) + " and " +
             std::to_string(parameter.most) + ".";
    }
    case Kind::choice: {
      const auto words = split(parameter.choices, '|');
      return std::ranges::find(words, value) != words.end()
                 ? ""
                 : "Expecting one of: " + readable(parameter.choices) + ".";
    }
    case Kind::time:
      return parse_rfc3339(value) ? "" : "Expecting a time such as 2026-01-02T03:04:05Z.";
    case Kind::base64:
      return base64_decode(value) ? "" : "Expecting base64.";
  }
  return {};
}

}  // namespace

Error missing_parameter(std::string_view name) {
  return ec2_error("MissingParameter", "The request must contain the parameter " + std::string(name));
}

Error bad_parameter(std::string_view name, std::string_view value, std::string_view rule) {
  std::string message = "Value (" + std::string(value) + ") for parameter ";
  message.append(name).append(" is invalid.");
  if (!rule.empty()) message.append(" ").append(rule);
  return ec2_error("InvalidParameterValue", std::move(message));
}

Status check_parameters(std::string_view action, const Params& params) {
  const auto* call = find_call(action);
  if (call == nullptr)
    return ec2_error("InvalidAction", "The action " + std::string(action) + " is not valid");
  for (const auto& [name, value] : params.all()) {
    const auto* parameter = find_parameter(*call, name);
    if (parameter == nullptr) {
      return ec2_error("UnknownParameter", "The parameter " + name + " is not recognized");
    }
    if (const auto fault = fault_of(*parameter, value); !fault.empty()) {
      return bad_parameter(name, value, fault);
    }
  }
  for (const auto required : call->required) {
    const bool given = std::ranges::any_of(
        params.all(), [&](const auto& item) { return fits(required, item.first) && !item.second.empty(); });
    if (!given) return missing_parameter(required.substr(0, required.find(".N")));
  }
  return Ok{};
}

}  // namespace drover::localcloud
