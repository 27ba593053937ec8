#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drover/base/limits.hpp"
#include "drover/base/result.hpp"
#include "drover/core/fleet/facts.hpp"

// Replies of the EC2 Query API. Element names count, namespaces do not. A body that is not a whole,
// well-formed reply of the expected kind (empty, cut, HTML of a proxy, with a DOCTYPE, beyond a bound) is an
// Errc::invalid error and never an empty result. Thread-safe.
namespace drover::aws {

struct XmlLimits {
  std::size_t bytes = limits::kCloudReplyBytes;
  int depth = limits::kXmlDepth;
  std::size_t text_bytes = 64 * 1024;  // of one element
};

struct InstancePage {
  std::vector<core::Instance> instances;
  std::string next_token;  // empty: the last page
};
Result<InstancePage> parse_describe_instances(std::string_view body, const XmlLimits& limits = {});

// At least one instance, or an error.
Result<std::vector<core::Instance>> parse_run_instances(std::string_view body, const XmlLimits& limits = {});

struct Image {
  std::string id;
  std::string root_device;       // "/dev/xvda"; may be empty
  std::string root_device_type;  // "ebs", "instance-store"; may be empty
};
Result<std::vector<Image>> parse_describe_images(std::string_view body, const XmlLimits& limits = {});

struct StateChange {
  std::string id;
  core::InstanceState current = core::InstanceState::unknown;
};
Result<std::vector<StateChange>> parse_terminate_instances(std::string_view body,
                                                           const XmlLimits& limits = {});

// An error reply of EC2 or STS; the first error where there are several.
struct AwsErrorReply {
  std::string code;  // not empty
  std::string message;
  std::string request_id;
};
std::optional<AwsErrorReply> parse_aws_error(std::string_view body, const XmlLimits& limits = {});

}  // namespace drover::aws
