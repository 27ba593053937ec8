#pragma once

#include <utility>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/ports/change.hpp"

namespace drover::ports {

// Flush of the heartbeats heard since the last one. No event.
struct TouchWorkers {
  std::vector<std::pair<WorkerId, WallTime>> last_seen;

  struct Answer {};
  static constexpr std::string_view kName = "touch_workers";
  static constexpr Lane kLane = Lane::system;
  static constexpr Decided kDecided = Decided::by_memory;
  static constexpr bool kWakesFleet = false;
  static constexpr bool kWritesEvent = false;
  [[nodiscard]] Keys keys() const { return {}; }
};

}  // namespace drover::ports
