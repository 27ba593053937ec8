#pragma once

#include "drover/base/clock.hpp"
#include "drover/ports/change.hpp"

namespace drover::ports {

struct SetPaused {
  bool paused = false;
  WallTime now;

  struct Answer {};
  static constexpr std::string_view kName = "set_paused";
  static constexpr Lane kLane = Lane::operators;
  static constexpr Decided kDecided = Decided::by_memory;
  static constexpr bool kWakesFleet = true;
  static constexpr bool kWritesEvent = true;
  [[nodiscard]] Keys keys() const { return {Key{Key::Of::scheduler}}; }
};

}  // namespace drover::ports
