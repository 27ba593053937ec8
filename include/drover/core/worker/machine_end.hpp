#pragma once

#include <string>
#include <string_view>

#include "drover/base/clock.hpp"
#include "drover/core/fleet/facts.hpp"
#include "drover/core/job/job.hpp"

namespace drover::core {

// What is known of a machine that ended.
struct MachineEnd {
  WorkerState worker = WorkerState::active;  // when it ended
  bool noticed = false;                      // its worker told of an interruption notice
  std::string_view state_reason;             // Instance::state_reason; empty when absent from the listing
};

struct MachineVerdict {
  Outcome outcome = Outcome::interruption;  // of its open attempts: interruption or infra
  bool counts_against_image = false;  // an unregistered worker that ended so never came up by its own fault
  std::string reason;                 // for people
};

// An ordered table of rules, the first match wins. Total.
[[nodiscard]] MachineVerdict classify_end(const MachineEnd& end);

// How an attempt ends that its worker gave back or fell silent with, while the cloud has said nothing of the
// machine: an interruption when the machine's end was announced or asked for, infra otherwise.
[[nodiscard]] Outcome outcome_of_broken_worker(WorkerState worker, bool noticed);

// Until when a machine with this interruption notice may live: the "time" of the metadata service's JSON, or
// two minutes from now where there is none to be read. Between now and ten minutes from now, since the
// cloud's clock or this machine's may be wrong.
[[nodiscard]] WallTime notice_end(std::string_view notice, WallTime now);

}  // namespace drover::core
