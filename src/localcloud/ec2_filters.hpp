#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "drover/base/result.hpp"

#include "ec2_protocol.hpp"
#include "instance.hpp"

namespace drover::localcloud {

// EC2's: '*' any text, '?' any one character, '\' takes the next character as it is.
bool matches_wildcard(std::string_view pattern, std::string_view text);

struct Filter {
  std::string name;
  std::vector<std::string> values;  // one of them must match
};
using Filters = std::vector<Filter>;
// Filter.N.Name, Filter.N.Value.M; an EC2 error for a name that is not among `names`. "tag:" among them
// stands for every "tag:<key>".
Result<Filters> parse_filters(const Params& params, std::span<const std::string_view> names);
// With the names by which instances can be listed.
Result<Filters> parse_filters(const Params& params);
// All filters hold.
bool matches(const Instance& instance, const Filters& filters);
bool matches_any(const std::vector<std::string>& patterns, std::string_view text);
// The filters of that name hold.
bool passes(const Filters& filters, std::string_view name, std::string_view value);
// The filters "tag-key" and "tag:<key>" hold.
bool passes_tags(const Filters& filters, const Tags& tags);

}  // namespace drover::localcloud
