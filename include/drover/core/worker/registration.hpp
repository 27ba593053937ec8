#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "drover/core/fleet/facts.hpp"

namespace drover::core {

// The worker of the instance that registers, as it is stored.
struct RegistrationBrief {
  WorkerState state = WorkerState::starting;
  bool registered = false;
  std::string nonce;  // of its registration
};

struct RegistrationDecision {
  enum class Kind {
    accept,   // it becomes `to`
    repeat,   // the reply to the first try was lost: the same answer again
    refuse,   // conflict: why
    not_yet,  // try again: the cloud has not said that this instance is of the launch
  } kind = Kind::not_yet;
  WorkerState to = WorkerState::active;  // for accept
  std::string reason;                    // for refuse: what the instance has or is, after "instance <id> "
};

// Whether an instance may register with its launch's bootstrap token. Each instance may once, and only one
// that the cloud reported for that launch: the token lies in user data, where every job of the machine may
// read it. `worker`: none is stored for this instance and launch.
[[nodiscard]] RegistrationDecision decide_registration(const std::optional<RegistrationBrief>& worker,
                                                       std::string_view nonce);

}  // namespace drover::core
