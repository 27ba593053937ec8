#pragma once

#include <optional>
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
// Filter.N.Name, Filter.N.Value.M; an EC2 error for a name that no instance has.
Result<std::vector<Filter>> parse_filters(const Params& params);
// All filters hold.
bool matches(const Instance& instance, const std::vector<Filter>& filters);
bool matches_any(const std::vector<std::string>& patterns, std::string_view text);

}  // namespace drover::localcloud
