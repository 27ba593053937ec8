#pragma once

#include <array>
#include <cstdint>

#include "drover/core/fleet/facts.hpp"
#include "drover/core/job/job.hpp"
#include "drover/core/job/transitions.hpp"

#include "ready.hpp"

// The model's world: two jobs, two machines, one daemon and its store, with nothing in it but what decides.
// Store and memory hold the same of jobs, leases and workers, since memory changes only by what was
// committed: so they are kept once. What a batch in flight is to change stands beside it until its outcome is
// remembered.
//
// Time is counted in halves of a lease's term. `age` and `quiet` say how many have passed, two at most: then
// a term is over. A machine runs one job at a time.
namespace drover::model {

inline constexpr int kMachines = 2;
inline constexpr int kRows = 8;  // attempts of one job that somebody may still speak of
inline constexpr Byte kTermOver = 2;

struct Lease {
  bool open = false;
  Byte attempt = 0, token = 0, machine = 0;
  core::JobState wanted = core::JobState::running;
  Byte age = 0;  // since it was last renewed, in the leader's memory
  // The first answer that handed the attempt out reached nobody, and the daemon is still to notice that …
  bool undelivered = false;
  bool again = false;  // … and the attempt was handed out once more since
};

// A change on its way to the store.
struct Change {
  enum class Kind : Byte {
    none,
    claim,      // of the job, for the machine
    report,     // the machine's worker tells how the attempt ended
    copy,       // of a report: arrives late, and nobody waits for the answer
    expiry,     // the attempt's lease is over
    loss,       // the attempt's machine is lost
    give_back,  // the answer that handed the attempt out could not be delivered
    act,        // a user's action
  };
  Kind kind = Kind::none;
  Byte job = 0, machine = 0;
  Byte attempt = 0, token = 0;                       // of an end
  core::Outcome outcome = core::Outcome::succeeded;  // likewise
  core::JobState wanted = core::JobState::running;   // likewise: of its lease, when the end was made
  core::JobAction action = core::JobAction::hold;    // of act
  bool put_off = false;  // it waits since the batch in flight has a change of the same job
};
[[nodiscard]] constexpr bool is_end(Change::Kind kind) {
  return kind != Change::Kind::none && kind != Change::Kind::claim && kind != Change::Kind::act;
}

// What the store keeps of an attempt that has ended.
struct Row {
  bool there = false;
  Byte token = 0;  // 0: it was not its worker that told the end, so no report can be a repeat of it
  core::Outcome outcome = core::Outcome::succeeded;
};

struct Job {
  core::JobState stored = core::JobState::queued;
  Byte attempts = 0;
  Byte failures = 0, infra = 0, interruptions = 0;
  Byte infra_gone = 0;  // machines that an infra end of it was charged on and that are no more …
  Byte infra_here = 0;  // … and those that are: one bit each
  Lease lease;
  std::array<Row, kRows> rows;  // by attempt
  Change flying;                // of this job, in the batch in flight
  // The ledger, which the system does not see: what really happened.
  Byte ended = 0;   // attempts that ended
  Byte tokens = 0;  // given out: each claim's is a new one
  Byte true_failures = 0, true_infra = 0, true_interruptions = 0;
  bool cancelled = false;  // a cancel was acknowledged, and no requeue since
};

enum class Phase : Byte { none, running, succeeded, failed, stopped, released };
struct Run {
  Phase phase = Phase::none;
  Byte job = 0, attempt = 0, token = 0;
};

enum class Process : Byte { up, asleep, dead };
// taken: listed as ended by the market; shut: listed as ended by a user; vanished: listed no more.
enum class Instance : Byte { none, running, taken, shut, vanished };

// Reading all ready keys anew: asked for, and in flight.
enum class Reading : Byte { none, wanted, flying };

struct Machine {
  Instance instance = Instance::none;
  core::WorkerState worker = core::WorkerState::gone;  // as stored; gone: the place is free
  Process process = Process::dead;
  Byte quiet = 0;        // since it was last heard in this term of leadership
  bool noticed = false;  // it has an interruption notice
  bool cordon = false;   // in flight
  Run run;
};

struct Report {
  bool there = false;
  Byte job = 0, attempt = 0, token = 0;
  core::Outcome outcome = core::Outcome::succeeded;
};

inline constexpr int kWaiting = 2;  // changes that may wait for the next batch

struct World {
  std::array<Job, kJobs> jobs;
  std::array<Machine, kMachines> machines;
  Report late;  // a copy of a report, still on its way
  bool leading = true;
  bool paused = false;
  bool launch = false;        // of one machine, decided and not yet committed
  Ready ready = all_ready();  // the keys in the leader's memory
  Reading reading = Reading::none;
  bool pausing = false;                  // in flight: a pause, or its end when it is paused
  std::array<Change, kWaiting> waiting;  // in the order in which they came, what was put off before the rest
  Byte faults = 0;                       // that may still happen
};

// The writer has a batch, or keys to read.
[[nodiscard]] bool in_flight(const World& world);

// A world as bytes, for comparison and keeping.
inline constexpr std::size_t kLeaseAt =
    16;  // of a job's bytes: whether its lease is open, its holder and age
inline constexpr std::size_t kJobSize = kLeaseAt + 1;
inline constexpr std::size_t kChangeSize = 4;
inline constexpr std::size_t kFaultsAt = kJobs * kJobSize + kMachines * 10 + 11;
inline constexpr std::size_t kPackedSize =
    kFaultsAt + 1 + kJobs * (kRows + kChangeSize) + kWaiting * kChangeSize;
using Packed = std::array<Byte, kPackedSize>;
// Without what makes no difference: which of the two machines is which, attempts that nobody can speak of any
// more, and the height of counters that only grow. Worlds that differ in nothing else are the same bytes.
[[nodiscard]] Packed pack(World world);
[[nodiscard]] World unpack(const Packed& bytes);

}  // namespace drover::model
