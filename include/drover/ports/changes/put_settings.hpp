#pragma once

#include <map>
#include <string>

#include "drover/base/clock.hpp"
#include "drover/ports/change.hpp"

namespace drover::ports {

struct PutSettings {
  std::map<std::string, std::string> values;  // key → JSON text; decided by core::changed_tunables
  WallTime now;

  struct Answer {};
  static constexpr std::string_view kName = "put_settings";
  static constexpr Lane kLane = Lane::operators;
  static constexpr Decided kDecided = Decided::by_memory;
  static constexpr bool kWakesFleet = false;
  static constexpr bool kWritesEvent = true;
  [[nodiscard]] Keys keys() const { return {Key{Key::Of::tunables}}; }
};

}  // namespace drover::ports
