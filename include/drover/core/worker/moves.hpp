#pragma once

#include <string>
#include <string_view>

#include "drover/core/fleet/facts.hpp"

namespace drover::core {

// What may be asked of a worker, by a person, the planner or the worker itself.
enum class WorkerMove {
  // The worker is given up. Refused while it starts, and when it has a lease: it may have claimed a job
  // meanwhile.
  cordon_idle,
  drain,      // it is to finish what it has, and claim nothing
  notice,     // it told of an interruption notice: it drains, and the notice is kept in any state
  activate,   // takes a drain back
  terminate,  // its machine is to end; its open attempts go on until they end or the machine is gone
  gone,       // its machine has ended; its open attempts must have been ended before
};
std::string_view to_string(WorkerMove move);

// What a move looks at.
struct WorkerBrief {
  WorkerState state = WorkerState::starting;
  bool registered = false;
  bool leased = false;   // it has an open attempt
  bool noticed = false;  // it has an interruption notice
};

struct MoveDecision {
  enum class Kind { nothing, move, refuse } kind = Kind::nothing;
  WorkerState to = WorkerState::starting;  // for move; the state it has, where only the notice is new
  std::string reason;                      // for refuse: why, for the 409
};

// The total table: every move in every state. Every move is idempotent: asked for again it is `nothing`.
[[nodiscard]] MoveDecision decide_move(const WorkerBrief& worker, WorkerMove move);

}  // namespace drover::core
