#pragma once

#include "drover/core/fleet/facts.hpp"

namespace drover::core {

// What a launch is after the cloud, or the planner, told `told` of it. A launch that is over stays over,
// whatever turns up late; an answered one is not opened again.
[[nodiscard]] LaunchState after_told(LaunchState was, LaunchState told);

}  // namespace drover::core
