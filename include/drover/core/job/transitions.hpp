#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "drover/core/job/job.hpp"

namespace drover::core {

enum class JobAction { hold, release, cancel, requeue };
std::string_view to_string(JobAction action);

// What an action does to a job: nothing (already there), a new stored state, or a wish on its lease.
struct ActionDecision {
  enum class Kind { nothing, store, want, refuse } kind = Kind::nothing;
  JobState state =
      JobState::queued;  // for store: the new stored state; for want: held or cancelled (running: resume)
  std::string reason;    // for refuse: why, for the 409
};

// The total table: every action in every state. Every action is idempotent: asked for again it is `nothing`.
[[nodiscard]] ActionDecision decide_action(const JobBrief& job, JobAction action);

}  // namespace drover::core
