#pragma once

#include <cstdint>

#include "drover/base/clock.hpp"
#include "drover/core/tunables.hpp"

// The hold that a worker has on an attempt. The leader keeps it in memory, by its own steady clock and from
// the worker's heartbeats, each of which lists the attempts that the worker runs.
namespace drover::core {

struct LeaseTerm {
  SteadyTime deadline;    // without a heartbeat that lists it until then, the attempt goes back to the queue
  SteadyTime answered;    // when the attempt was last handed out by the answer to a claim
  int missed_lists = 0;   // lists in a row, begun late enough to have it, that do not
  bool heard_of = false;  // the worker has shown that it has the attempt: listed it, or made a call for it
  std::int64_t delivery = 0;  // a number for each time that it was handed out, each one above the last
};

// The attempt was handed out to its worker, for the first time or because the answer to the same claim was
// lost. Also called at the start of a term of leadership: whatever happened before, the worker gets a full
// lease term.
[[nodiscard]] LeaseTerm handed_out(LeaseTerm lease, SteadyTime now, const Tunables& tunables);
// A heartbeat of its worker lists the attempt.
[[nodiscard]] LeaseTerm listed(LeaseTerm lease, SteadyTime now, const Tunables& tunables);
// A heartbeat of its worker leaves it out. The answer to a claim and a heartbeat may have crossed: a list
// counts from two heartbeat intervals after the attempt was handed out.
[[nodiscard]] LeaseTerm left_out(LeaseTerm lease, SteadyTime now, const Tunables& tunables);

enum class LeaseVerdict {
  stands,
  silent,    // nothing was heard of the worker for the whole term
  dropped,   // the worker lives, had the attempt, and has it no more
  returned,  // the worker lives and never had it: the answer to its claim was lost
};
[[nodiscard]] LeaseVerdict judge_lease(const LeaseTerm& lease, SteadyTime now);

// Whether an attempt goes back as if it had not been, when the answer that handed it out as the `delivery`-th
// could not be written: not when it was handed out again since, or the worker has shown that it has it.
[[nodiscard]] bool may_give_back(const LeaseTerm& lease, std::int64_t delivery);

}  // namespace drover::core
