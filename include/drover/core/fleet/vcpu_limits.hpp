#pragma once

#include <string>
#include <string_view>

#include "drover/core/fleet/facts.hpp"

namespace drover::core {

// The name of the vCPU limit of an AWS account that a machine of this type and market counts towards:
// "standard" (A, C, D, H, I, M, R, T, Z), "g and vt", "p", and so on. A family that is not known has a limit
// of its own.
[[nodiscard]] std::string vcpu_limit_group(Market market, std::string_view instance_type);

}  // namespace drover::core
