#pragma once

#include "drover/core/fleet/facts.hpp"

namespace drover::core {

// The state of a launch that was in state `was` when the cloud's answer, or the planner, says `told`. A
// failed or closed launch stays so, however late an answer comes; a fulfilled one does not become intended
// again.
[[nodiscard]] LaunchState after_told(LaunchState was, LaunchState told);

}  // namespace drover::core
