#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "drover/base/result.hpp"

#include "ec2_protocol.hpp"

namespace drover::localcloud {

// One parameter of a call, as EC2's API reference has it.
struct Parameter {
  enum class Kind { text, flag, number, choice, time, base64 };
  std::string_view name;  // "Filter.N.Value.N": N stands for the number of a list's item
  Kind kind = Kind::text;
  std::string_view choices = {};  // "a|b"
  std::int64_t least = 0;
  std::int64_t most = 0;
};

namespace parameter {

constexpr Parameter text(std::string_view name) {
  return {name};
}
constexpr Parameter flag(std::string_view name) {
  return {name, Parameter::Kind::flag};
}
constexpr Parameter number(std::string_view name, std::int64_t least = 0, std::int64_t most = INT32_MAX) {
  return {name, Parameter::Kind::number, {}, least, most};
}
constexpr Parameter choice(std::string_view name, std::string_view choices) {
  return {name, Parameter::Kind::choice, choices};
}
constexpr Parameter time(std::string_view name) {
  return {name, Parameter::Kind::time};
}
constexpr Parameter base64(std::string_view name) {
  return {name, Parameter::Kind::base64};
}

}  // namespace parameter

// Of RunInstances, which has more of them than all other calls together.
std::span<const Parameter> launch_parameters();

// The names, types and values of a known action's parameters. EC2 errors: UnknownParameter,
// InvalidParameterValue, MissingParameter.
Status check_parameters(std::string_view action, const Params& params);

Error missing_parameter(std::string_view name);
Error bad_parameter(std::string_view name, std::string_view value, std::string_view rule = {});

}  // namespace drover::localcloud
