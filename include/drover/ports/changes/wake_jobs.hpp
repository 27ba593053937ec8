#pragma once

#include <optional>
#include <vector>

#include "drover/ports/change.hpp"
#include "drover/ports/rows.hpp"

namespace drover::ports {

// Clears wake_at of up to `limit` jobs whose time has come.
struct WakeJobs {
  WallTime now;
  int limit = 1000;

  struct Answer {
    std::vector<ReadyJob> ready;
    std::optional<WallTime> next;  // the earliest wake_at that remains
  };
  static constexpr std::string_view kName = "wake_jobs";
  static constexpr Lane kLane = Lane::system;
  static constexpr Decided kDecided = Decided::by_rows;
  static constexpr bool kWakesFleet = false;
  static constexpr bool kWritesEvent = false;
  [[nodiscard]] Keys keys() const { return {Key{Key::Of::wake}}; }
};

}  // namespace drover::ports
