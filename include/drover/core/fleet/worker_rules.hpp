#pragma once

#include <optional>

#include "drover/base/clock.hpp"
#include "drover/core/fleet/facts.hpp"

// What a worker is to the fleet: one classification for the planner and for /explain, so that the two cannot
// disagree about a worker.
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
  given_up,  // holds no lease, and has said nothing for longer than is borne
  silent,    // holds no lease, and has said nothing for a lease term
  idle,      // holds nothing
  busy,
};
[[nodiscard]] Category category_of(const WorkerFacts& worker);

// The machine of a worker of this category takes jobs, now or soon.
[[nodiscard]] bool is_capacity(Category category);
// The worker holds no lease, and has said nothing for as long as silence_allowed: it takes no job, so it is
// no capacity.
[[nodiscard]] bool is_silent(const WorkerFacts& worker);
// The worker holds no lease, and has not asked for work for so long that it is not going to ask any more.
[[nodiscard]] bool asks_no_more(const WorkerFacts& worker);
// The worker is going to fill its free slots: it is idle or busy, was heard lately, and asks for work.
[[nodiscard]] bool fills_slots(const WorkerFacts& worker);

}  // namespace drover::core
