#pragma once

#include <optional>

#include "drover/base/clock.hpp"
#include "drover/core/fleet/facts.hpp"

// What a worker is to the fleet. The planner goes by it, and so does what a job's /explain says of the
// workers that it waits for.
namespace drover::core {

struct WorkerFacts {
  WorkerState state = WorkerState::starting;
  bool registered = false;
  int leases = 0;
  std::optional<Millis> idle_for;   // without a lease for this long; absent: it has one, or is not registered
  std::optional<Millis> asked_ago;  // for work, in this term of leadership; absent: not yet
  std::optional<WallTime> notice_until;     // it told of an interruption notice: the machine goes by then
  bool managed = false;                     // we launch and terminate its machine
  bool ended = false;                       // its machine is no more
  SteadyTime::duration age{0};              // since this program first saw it
  SteadyTime::duration silence{0};          // in this term of leadership
  SteadyTime::duration silence_allowed{0};  // after so much its attempts have gone back to the queue
  SteadyTime::duration silence_borne{0};    // after so much it is given up
  Seconds registration_timeout{0};
  WallTime now;
};

// Each worker is exactly one of these.
enum class Category {
  ended,         // its machine is no more
  asked_to_end,  // stored as terminating: its machine is to end
  taken_back,    // its interruption notice's time is long over, and the machine is still there
  noticed,       // it has an interruption notice: the cloud will end the machine
  unwanted,      // drained before it registered
  late,          // did not register in time
  starting,      // has not registered yet
  drained,       // has finished what it had
  draining,
  given_up,  // has said nothing for longer than is borne, and holds nothing
  silent,    // has said nothing for so long that its attempts, if it had any, are back in the queue
  idle,      // holds nothing
  busy,
};
[[nodiscard]] Category category_of(const WorkerFacts& worker);

// Such a worker's machine takes jobs, now or soon.
[[nodiscard]] bool is_capacity(Category category);
// It holds nothing, and has said nothing for longer than is allowed: it takes no job, so it is no capacity.
[[nodiscard]] bool is_silent(const WorkerFacts& worker);
// It holds nothing, and has not asked for work for so long that it is not going to.
[[nodiscard]] bool asks_no_more(const WorkerFacts& worker);
// A free slot of it is going to take a job: it is no machine that only boots or is to go, it was heard
// lately, and it asks for work.
[[nodiscard]] bool fills_slots(const WorkerFacts& worker);

}  // namespace drover::core
