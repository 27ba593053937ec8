#pragma once

#include <string>
#include <string_view>

#include "drover/core/fleet.hpp"
#include "drover/core/job.hpp"

namespace drover::core {

// What is known of a machine that ended.
struct MachineEnd {
  WorkerState worker = WorkerState::active;  // when it ended
  std::string_view state_reason;             // Instance::state_reason; empty when absent from the listing
};

struct MachineVerdict {
  Outcome outcome = Outcome::interruption;  // of its open attempts: interruption or infra
  bool counts_against_image = false;  // an unregistered worker that ended so never came up by its own fault
  std::string reason;                 // for people
};

// An ordered table of rules, the first match wins. Total.
[[nodiscard]] MachineVerdict classify_end(const MachineEnd& end);

}  // namespace drover::core
