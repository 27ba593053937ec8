#pragma once

#include <string>

#include "drover/aws/credentials.hpp"

namespace drover::aws {

// Empty when it is not set.
inline std::string value_of(const Environment& environment, const std::string& name) {
  return environment(name).value_or(std::string{});
}

}  // namespace drover::aws
