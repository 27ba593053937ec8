#pragma once

#include <optional>
#include <string>

#include "drover/core/job/transitions.hpp"
#include "drover/ports/change.hpp"
#include "drover/ports/rows.hpp"

namespace drover::ports {

// Decided by core::decide_action. Refused: conflict as it says, not_found.
struct ActOnJob {
  JobNumber job;
  std::optional<Uuid> id;  // when the client named it by UUID: must match
  core::JobAction action = core::JobAction::hold;
  WallTime now;

  struct Answer {
    bool changed = false;
    bool was_ready = false;                          // it was queued, due and without a lease before
    core::JobState before = core::JobState::queued;  // stored; `running` where a lease is concerned
    core::JobState after = core::JobState::queued;   // visible state
    std::optional<core::JobState> wanted;            // of its lease, where it has one
    std::string queue;
    core::ReadyKey key;
    std::optional<WallTime> wake_at;  // of a job that is queued but not due
    bool suspect = false;
  };
  static constexpr std::string_view kName = "act_on_job";
  static constexpr Lane kLane = Lane::operators;
  static constexpr Decided kDecided = Decided::by_rows;
  static constexpr bool kWakesFleet = false;
  static constexpr bool kWritesEvent = true;
  [[nodiscard]] Keys keys() const { return key_of(job); }
};

}  // namespace drover::ports
