#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drover/core/fleet/facts.hpp"

// Bodies of EC2 Query API calls (version 2016-11-15), in the form and order that AWS's own SDK for Python
// sends. Pure. Parameters are not checked.
namespace drover::aws {

// Parameters of a launch that no pool sets.
struct LaunchDefaults {
  std::string volume_type = "gp3";
  int metadata_hop_limit = 1;  // 2 where the worker runs in a container
};

// IMDSv2 only, and a machine that shuts down terminates. A profile that starts with "arn:" is sent as an ARN,
// any other as a name. `root_device` is the image's, needed where the launch gives the disk a size: with
// another name EC2 would add a second volume. The tags go on everything the launch makes; the instance can
// read them from its metadata where EC2 allows their keys there.
std::string encode_run_instances(const core::LaunchRequest& request, std::string_view root_device,
                                 const LaunchDefaults& defaults = {});

std::string encode_describe_image(std::string_view id);

struct Filter {
  std::string name;  // "tag:<key>", "instance-id", …
  std::vector<std::string>
      values;  // EC2 takes at most 200 in all; '*' and '?' match, see literal_filter_value
};

// EC2 refuses max_results together with instance_ids, and describes everything when both lists are empty.
struct DescribeInstancesQuery {
  std::vector<Filter> filters;
  std::vector<std::string> instance_ids;
  int max_results = 0;     // 5–1000; 0: not sent
  std::string next_token;  // empty: the first page
};
std::string encode_describe_instances(const DescribeInstancesQuery& query);

// `ids`: 1–1000.
std::string encode_terminate_instances(std::span<const std::string> ids);

// The value with EC2's wildcards and its escape character escaped.
std::string literal_filter_value(std::string_view value);

}  // namespace drover::aws
