#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/ids.hpp"
#include "drover/core/fleet/breakers.hpp"
#include "drover/core/fleet/facts.hpp"
#include "drover/core/job/job.hpp"
#include "drover/core/tunables.hpp"

// The fleet planner: what to do about machines, given what is stored, what the cloud lists and what memory
// holds.
namespace drover::core {

struct PoolView {
  PoolSpec spec;
  std::int64_t version = 1;
  std::string blocked_reason;  // non-empty: no launches
};

// A worker that is not gone, as stored, with what the engine's memory adds.
struct FleetWorker {
  WorkerId id;
  std::string instance_id;
  std::string pool;
  WorkerState state = WorkerState::starting;
  bool registered = false;
  int leases = 0;
  bool alone = false;                // its lease is a suspect's that has it to itself
  std::optional<Millis> silent_for;  // since its last call in this term; absent: none yet
  std::optional<Millis> idle_for;  // without a lease for this long; absent: it has one, or is not registered
  // Its worker told of an interruption notice: the machine goes by then.
  std::optional<WallTime> notice_until;
  std::optional<Millis> asked_ago;  // for work, in this term; 0: it is asking; absent: not yet
  bool known_before = true;  // stored before the listing was asked for: only then does absence mean anything
};

// An open launch: intended, or fulfilled not long ago.
struct FleetLaunch {
  LaunchId id;
  std::string pool;
  std::string client_token;
  int count = 1;
  int instances = 0;  // workers that came of it, gone ones included
  LaunchState state = LaunchState::intended;
  std::string instance_type;
  std::string subnet;
  Market market = Market::spot;
};

struct Absence {
  int listings = 0;  // complete ones in a row that lacked (or, of an orphan, held) the instance
  SteadyTime since;
  bool operator==(const Absence&) const = default;
};
struct LaunchTry {
  int failures = 0;  // in a row that may be repeated with the same token
  SteadyTime next;
  bool operator==(const LaunchTry&) const = default;
};
// Machines that a launch gave or, while its call is unanswered, may give. They count against
// max_launches_per_minute.
struct LaunchCharge {
  SteadyTime at;
  int count = 0;
  bool operator==(const LaunchCharge&) const = default;
};
// Whether a pool's machines come up at all. A worker that ends without registering is held against the image
// only if it is newer than `vouched_for`.
struct PoolTrust {
  std::int64_t version = 0;   // of the pool; an edit starts over
  WorkerId vouched_for;       // the newest that registered, or that existed when the pool was last edited
  std::set<WorkerId> failed;  // newer ones that ended without registering, by their own fault
  bool operator==(const PoolTrust&) const = default;
};

// What one plan leaves for the next. Its times are steady, so that a jump of the wall clock changes no
// verdict. A restart loses it, which only makes the planner wait longer before it judges.
struct PlannerMemory {
  std::map<WorkerId, SteadyTime> first_seen;
  std::set<WorkerId> listed;  // seen in a listing at least once
  std::map<WorkerId, Absence> absent;
  std::map<LaunchId, SteadyTime> launch_seen;
  std::map<std::string, Absence> unknown;  // instance id → listed, but of no worker and no launch
  std::map<std::string, PoolTrust> trust;  // by pool
  bool operator==(const PlannerMemory&) const = default;
};

// What came of earlier plans. The executor keeps it; the planner only reads it.
struct Outcomes {
  std::map<LaunchId, LaunchTry> tries;               // of intents
  std::map<LaunchId, LaunchCharge> launched;         // lately
  std::map<std::string, SteadyTime> terminate_sent;  // instance id → last time; lately
  std::set<std::string> ended;                       // instances whose worker is gone for good: never adopted
};

struct Observation {
  WallTime now;
  SteadyTime steady;
  bool leading = false;
  bool paused = false;
  std::string deployment;  // the value of kDeploymentTag on our instances
  Tunables tunables;
  std::vector<PoolView> pools;
  std::vector<FleetWorker> workers;
  std::vector<FleetLaunch> launches;
  std::map<std::string, std::int64_t> ready;     // by queue: queued and due, no lease
  std::map<std::string, std::int64_t> suspects;  // of these, those that need a worker to themselves
  std::optional<std::vector<Instance>> listing;  // complete, or absent
  CloudError listing_error;                      // why it is absent: shown
  // Answers to an earlier LookUp of this tick: asked for, and what the cloud said (nullopt: does not know
  // it).
  std::map<std::string, std::optional<Instance>> looked_up;
  CloudHealth health;
  PlannerMemory memory;
  Outcomes outcomes;
};

// ---- actions. Each is checked again by the transaction that carries it out; refused there, it is dropped.

// A new intent, called at once. Precondition: the pool is at this version.
struct InsertLaunch {
  std::string pool;
  std::int64_t pool_version = 1;
  int count = 1;
  std::string instance_type;
  std::string subnet;
  Market market = Market::spot;
  std::string reason;
  bool operator==(const InsertLaunch&) const = default;
};
// Sends, or sends again, the frozen request of an intent.
struct CallLaunch {
  LaunchId launch;
  std::string reason;
  bool operator==(const CallLaunch&) const = default;
};
// The cloud has these of an intent whose answer never came.
struct AdoptInstances {
  LaunchId launch;
  std::vector<Instance> instances;
  std::string reason;
  bool operator==(const AdoptInstances&) const = default;
};
struct CloseLaunch {
  LaunchId launch;
  std::string reason;
  bool operator==(const CloseLaunch&) const = default;
};
// Gives a worker up whose machine may still work. Precondition: active or draining, and without a lease, so
// that a worker that has claimed a job meanwhile keeps its machine.
struct CordonIdle {
  WorkerId worker;
  std::string instance_id;
  std::string reason;
  bool operator==(const CordonIdle&) const = default;
};
struct Terminate {
  WorkerId worker;  // 0: an orphan
  std::string instance_id;
  bool mark = false;  // the worker is to be stored as terminating first
  std::string reason;
  bool operator==(const Terminate&) const = default;
};
// The machine no longer exists: the worker's open attempts end with `outcome`, and the worker becomes gone.
struct LoseWorker {
  WorkerId worker;
  Outcome outcome = Outcome::interruption;
  std::string reason;
  bool with_many = false;  // more of the fleet is lost in this plan than is credible
  bool operator==(const LoseWorker&) const = default;
};
// A machine that was to end has ended.
struct MarkGone {
  WorkerId worker;
  std::string reason;
  bool operator==(const MarkGone&) const = default;
};
// Ask for these by id, put the answers into Observation::looked_up and plan again.
struct LookUp {
  std::vector<std::string> instance_ids;
  bool operator==(const LookUp&) const = default;
};
struct BlockPool {
  std::string pool;
  std::int64_t version = 1;
  std::string reason;
  bool operator==(const BlockPool&) const = default;
};
using Action = std::variant<LoseWorker, MarkGone, AdoptInstances, CloseLaunch, Terminate, CordonIdle,
                            CallLaunch, InsertLaunch, BlockPool, LookUp>;

// Why something was not done, for /explain and /pools.
enum class NoteKind {
  standby,
  no_cloud,
  frozen,
  paused,
  blocked,
  no_capacity,
  refused,
  at_max,
  budget,
  retry
};
std::string_view to_string(NoteKind kind);
struct Note {
  std::string pool;  // empty: the whole fleet
  NoteKind kind = NoteKind::paused;
  std::string text;                // a sentence; empty where the cloud's error says why
  std::optional<Millis> next_try;  // from now
  std::string instance_type;       // that the cloud refuses
  std::optional<CloudError> error;
  bool operator==(const Note&) const = default;
};

struct PoolFigures {
  std::string pool;
  std::int64_t pending = 0;  // ready jobs that fall to this pool, and those it runs
  int wanted = 0;            // instances
  int capacity = 0;          // starting and active workers, and instances under way
  int launching = 0;         // of these, under way
  int instances = 0;         // all that may exist: what `max` bounds
  bool operator==(const PoolFigures&) const = default;
};

struct Plan {
  std::vector<Action> actions;
  std::vector<Note> notes;
  std::vector<PoolFigures> pools;  // by name
  std::string frozen;              // non-empty: why
  Millis next_wake{0};
  PlannerMemory memory;
};

// Total, deterministic, no I/O; the order of the observation's vectors does not matter.
[[nodiscard]] Plan plan(const Observation& seen);

// When a worker has been silent for this long its attempts have gone back to the queue.
[[nodiscard]] Seconds silence_allowed(const Tunables& tunables);

// EC2's listing may lag behind a launch by this long: the absence of a machine that was never listed says
// nothing before.
inline constexpr Seconds kConsistencyWindow{120};
// An instance of this deployment that belongs to no worker and no launch is left alone for this long after
// its launch.
inline constexpr Seconds kOrphanGrace{120};
inline constexpr Seconds kTerminateRetry{15};
// A launch that could not be resolved for this long is given up; what may come of it yet is an orphan.
inline constexpr Seconds kLaunchLife{3600};
// A drained worker may still be uploading when its last attempt has ended.
inline constexpr Seconds kDrainedGrace{10};
// A machine with an interruption notice is left to the cloud, which charges less for one that it ended
// itself. The planner terminates a machine that is still there this long after the notice's time.
inline constexpr Seconds kNoticeGrace{300};
// When many registered workers without a lease fall silent at once, each is given up only after this long, or
// after two lease terms if that is longer. A few are given up after one lease term.
inline constexpr Seconds kSilentMin{300};
inline constexpr int kBadImageWorkers = 3;
inline constexpr int kInstancesPerCall = 100;

}  // namespace drover::core
