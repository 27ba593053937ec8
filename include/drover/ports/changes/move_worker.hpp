#pragma once

#include <optional>
#include <string>

#include "drover/core/worker/moves.hpp"
#include "drover/ports/change.hpp"
#include "drover/ports/rows.hpp"

namespace drover::ports {

// Decided by core::decide_move. Refused: conflict as it says, not_found.
struct MoveWorker {
  WorkerId worker;
  core::WorkerMove move = core::WorkerMove::drain;
  std::string reason;
  WallTime now;
  std::optional<WallTime> notice_until = {};  // for notice: core::notice_end

  struct Answer {
    WorkerRow worker;
    bool changed = false;
  };
  static constexpr std::string_view kName = "move_worker";
  static constexpr Lane kLane = Lane::system;
  static constexpr Decided kDecided = Decided::by_rows;
  static constexpr bool kWakesFleet = true;
  static constexpr bool kWritesEvent = true;
  [[nodiscard]] Keys keys() const { return key_of(worker); }
};

}  // namespace drover::ports
