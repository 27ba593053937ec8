#pragma once

#include <array>
#include <cstdint>

#include "drover/core/fleet/facts.hpp"
#include "drover/core/job/job.hpp"

// The model's world: two jobs, two machines, one daemon and its store, with nothing in it but what decides.
//
// Time is counted in halves of a lease's term. `age` and `quiet` say how many have passed, two at most: then
// a term is over. A machine runs one job at a time.
namespace drover::model {

using Byte = std::uint8_t;
inline constexpr int kJobs = 2;
inline constexpr int kMachines = 2;
inline constexpr int kRows = 8;        // attempts of one job that somebody may still speak of
inline constexpr Byte kNobody = 0xff;  // no job
inline constexpr Byte kTermOver = 2;

struct Lease {
  bool open = false;
  Byte attempt = 0, token = 0, machine = 0;
  core::JobState wanted = core::JobState::running;
  Byte age = 0;  // since it was last renewed, in the leader's memory
};

// What the store keeps of an attempt that has ended.
struct Row {
  bool there = false;
  Byte token = 0;
  core::Outcome outcome = core::Outcome::succeeded;
};

struct Job {
  core::JobState stored = core::JobState::queued;
  Byte attempts = 0;
  Byte failures = 0, infra = 0, interruptions = 0;
  Byte infra_gone = 0;  // machines that broke it and are no more …
  Byte infra_here = 0;  // … and those that are: one bit each
  Lease lease;
  std::array<Row, kRows> rows;  // by attempt
  bool ready = true;            // the leader's memory holds it as ready
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

struct Machine {
  Instance instance = Instance::none;
  core::WorkerState worker = core::WorkerState::gone;  // as stored; gone: the place is free
  Process process = Process::dead;
  Byte quiet = 0;         // since it was last heard in this term of leadership
  bool noticed = false;   // it has an interruption notice
  Byte staged = kNobody;  // a claim of this job, decided and not yet committed
  bool cordon = false;    // a cordon, decided and not yet committed
  Run run;
};

struct Report {
  bool there = false;
  Byte job = 0, attempt = 0, token = 0;
  core::Outcome outcome = core::Outcome::succeeded;
};

struct World {
  std::array<Job, kJobs> jobs;
  std::array<Machine, kMachines> machines;
  Report late;  // a copy of a report, still on its way
  bool leading = true;
  bool paused = false;
  bool launch = false;  // of one machine, decided and not yet committed
  Byte faults = 0;      // that may still happen
};

// A world as bytes, for comparison and keeping.
inline constexpr std::size_t kPackedSize = kJobs * (18 + kRows) + kMachines * 11 + 9;
inline constexpr std::size_t kFaultsAt = kPackedSize - kJobs * kRows - 1;
using Packed = std::array<Byte, kPackedSize>;
// Without what makes no difference: which of the two machines is which, attempts that nobody can speak of any
// more, and the height of counters that only grow. Worlds that differ in nothing else are the same bytes.
[[nodiscard]] Packed pack(World world);
[[nodiscard]] World unpack(const Packed& bytes);

}  // namespace drover::model
