#pragma once

#include <string>
#include <vector>

#include "drover/ports/change.hpp"
#include "drover/ports/rows.hpp"

namespace drover::ports {

// What the cloud answered, decided by core::after_told. Instances become workers in state `starting`; an
// instance already known is left alone. Refused: not_found.
struct RecordLaunch {
  LaunchId launch;
  core::LaunchState state = core::LaunchState::fulfilled;  // intended: it is asked for again, same token
  std::vector<core::Instance> instances;
  std::string error;  // of the last call, as core::describe_with_class says it
  WallTime now;

  struct Answer {
    std::vector<WorkerRow> workers;  // new ones
  };
  static constexpr std::string_view kName = "record_launch";
  static constexpr Lane kLane = Lane::system;
  static constexpr Decided kDecided = Decided::by_rows;
  static constexpr bool kWakesFleet = false;
  static constexpr bool kWritesEvent = true;
  [[nodiscard]] Keys keys() const { return key_of(launch); }
};

}  // namespace drover::ports
