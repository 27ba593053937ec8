#pragma once

#include "drover/base/clock.hpp"

namespace drover::core {

// base * 2^(failures-1), at most `top`. failures >= 1, base >= 0.
[[nodiscard]] Seconds doubled(Seconds base, int failures, Seconds top);

}  // namespace drover::core
