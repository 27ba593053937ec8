#pragma once

#include <variant>

#include "drover/base/result.hpp"
#include "drover/engine/engine.hpp"

namespace drover::services {

// Who asks. A door says so with each call; a service says what this one may.
struct Operator {};  // whoever reaches the port: requests of people need no token yet
// The daemon itself, for the pools of its configuration. Its reconciler asks nobody: what it submits is
// guarded by the leadership and the view from which it was planned, not by rights.
struct System {};
using Worker = engine::WorkerAuth;
struct Attempt {
  engine::WorkerAuth worker;
  engine::AttemptRef attempt;
};
using Principal = std::variant<Operator, System, Worker, Attempt>;

// What people do, and the daemon for them: `forbidden` for workers and attempts.
Status may_operate(const Principal& who);

}  // namespace drover::services
