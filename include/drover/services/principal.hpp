#pragma once

#include <variant>

#include "drover/base/result.hpp"
#include "drover/engine/engine.hpp"

namespace drover::services {

// Who makes a call. The API finds that out and passes it with each call; the service decides what the caller
// may do.
struct Operator {};  // whoever reaches the port: requests of people need no token yet
// The daemon itself, for the pools of its configuration. Its reconciler does not call services: its changes
// are guarded by the leadership and by the view from which they were planned, not by rights.
struct System {};
using Worker = engine::WorkerAuth;
struct Attempt {
  engine::WorkerAuth worker;
  engine::AttemptRef attempt;
};
using Principal = std::variant<Operator, System, Worker, Attempt>;

// Whether the caller may do what operators may: `forbidden` for workers and attempts.
Status may_operate(const Principal& who);

}  // namespace drover::services
