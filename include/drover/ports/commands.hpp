#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/ids.hpp"
#include "drover/base/result.hpp"
#include "drover/base/secret.hpp"
#include "drover/core/fleet/facts.hpp"
#include "drover/core/job/job.hpp"
#include "drover/core/job/retry.hpp"
#include "drover/core/job/transitions.hpp"
#include "drover/core/worker/moves.hpp"
#include "drover/ports/artifact_store.hpp"

// The commands that change what is stored. Only the committer submits them; each carries its precondition,
// and a command whose precondition no longer holds is refused (conflict, stale or not_found) and changes
// nothing.
namespace drover::ports {

// ---- jobs

struct NewJob {
  JobNumber number;  // reserved by WriteSession::reserve_numbers
  Uuid id;
  core::JobSpec spec;
  WallTime created;
};

// All of them or none.
struct InsertJobs {
  std::vector<NewJob> jobs;
};

// Inserts a lease: the job must be alive, stored `queued`, due and without a lease; the worker must be
// active.
struct ClaimJob {
  JobNumber job;
  WorkerId worker;
  std::string nonce;
  // The attempt's token is derived from these two when the attempt's number is known:
  // hex(HMAC-SHA-256(worker_token, "attempt/<nonce>/<job>/<attempt>")); only its SHA-256 is stored.
  Secret worker_token;
  WallTime started;
};

inline constexpr std::string_view kBootstrapPlaceholder = "@DROVER_BOOTSTRAP_TOKEN@";
// hex(HMAC-SHA-256(deployment secret, "bootstrap/<client token>")).
Secret bootstrap_token(const Secret& deployment_secret, std::string_view client_token);
// hex(HMAC-SHA-256(bootstrap token, "worker/<instance id>/<nonce>")): repeating a registration gives the same
// token.
Secret worker_token(const Secret& bootstrap_token, std::string_view instance_id, std::string_view nonce);
std::string attempt_token(const Secret& worker_token, std::string_view nonce, JobNumber job, int attempt);

// Ends the open attempt if the lease has this number and, when `token_hash` is given, this token.
struct EndAttempt {
  JobNumber job;
  int attempt = 0;
  std::optional<Sha256> token_hash;  // absent: ended by us (lease expired, worker lost)
  core::Outcome outcome = core::Outcome::succeeded;
  bool released = false;  // given back by its worker; whether that is an interruption or infra is ours to say
  std::optional<int> exit_code;
  std::optional<int> signal;
  std::string reason;
  core::Disposition disposition;  // decided by core::decide_end from what memory holds of this lease
  WallTime now;
};

struct ChangeJob {
  JobNumber job;
  std::optional<Uuid> id;  // when the client named it by UUID: must match
  core::JobAction action = core::JobAction::hold;
  WallTime now;
};

// Clears wake_at of up to `limit` jobs whose time has come.
struct WakeJobs {
  WallTime now;
  int limit = 1000;
};

// Refused (too_large) when the attempt has kArtifactsOfAttempt others; a checkpoint does not count.
struct PutArtifact {
  JobNumber job;
  int attempt = 0;
  Sha256 token_hash;  // of the open attempt
  std::string name;
  std::int64_t size = 0;
  Sha256 sha256;
  WallTime now;
};

// ---- workers and launches

// An intent. `request.user_data` holds kBootstrapPlaceholder where the token goes: the token is derived,
// never stored.
struct InsertLaunch {
  PoolId pool;
  core::LaunchRequest request;
  Sha256 bootstrap_hash;  // SHA-256 of bootstrap_token(deployment secret, request.client_token)
  std::string reason;
  WallTime now;
};

// What the cloud answered. Instances become workers in state `starting`; an instance already known is left
// alone.
struct RecordLaunch {
  LaunchId launch;
  core::LaunchState state = core::LaunchState::fulfilled;  // intended: keep it open (adopt some now)
  std::vector<core::Instance> instances;
  std::string error;  // "<class>/<code>: message" of the last call
  WallTime now;
};

// Decided by core::decide_registration. Refused: unauthenticated (no launch has this hash), unavailable (not
// yet: retry), conflict.
struct RegisterWorker {
  std::string instance_id;
  Sha256 bootstrap_hash;  // SHA-256 of the presented token
  Sha256 token_hash;      // SHA-256 of worker_token(…), which is handed out
  std::string nonce;
  int slots = 1;
  core::Resources capacity;
  std::string hostname;
  std::string version;  // of the worker program
  WallTime now;
};

// Decided by core::decide_move; refused as it says.
struct ChangeWorker {
  WorkerId worker;
  core::WorkerMove move = core::WorkerMove::drain;
  std::string reason;
  WallTime now;
  std::optional<WallTime> notice_until = {};  // for notice: core::notice_end
};

// Flush of the heartbeats seen since the last one.
struct TouchWorkers {
  std::vector<std::pair<WorkerId, WallTime>> last_seen;
};

// ---- the rest

struct PutPool {
  core::PoolSpec spec;
  bool create = false;                  // true: refused when the name is taken; false: refused when it is not
  std::optional<std::int64_t> version;  // must match when given
  std::string blocked_reason;  // non-empty: launches stop, and say this. Any edit by a user clears it.
  WallTime now;
};

struct SetPaused {
  bool paused = false;
  WallTime now;
};

struct PutSettings {
  std::map<std::string, std::string> values;  // key → JSON text; validated by the caller
  WallTime now;
};

using Command =
    std::variant<InsertJobs, ClaimJob, EndAttempt, ChangeJob, WakeJobs, PutArtifact, InsertLaunch,
                 RecordLaunch, RegisterWorker, ChangeWorker, TouchWorkers, PutPool, SetPaused, PutSettings>;
std::string_view name_of(const Command& command);  // "insert_jobs", …

// ---- what they answer

// An open attempt, with all that running and ending it needs; counters do not change while it is open.
struct OpenAttempt {
  JobNumber job;
  Uuid id;
  int attempt = 0;
  WorkerId worker;
  std::string nonce;
  Sha256 token_hash{};
  WallTime started;
  core::JobState wanted = core::JobState::running;  // running, held, cancelled
  std::string queue;
  std::string name;
  std::int32_t rank = 0;
  std::string task;
  core::RetryRules retry;
  core::Counters counters;
  Seconds timeout{0};
  std::vector<WorkerId> infra_workers;  // that an infra end of this job was charged on
  Seconds alone{0};                     // a suspect: it has its worker to itself for so long; 0: it is none
  int charges = 0;                      // infra ends that it met alone
  int returns = 0;                      // how many of the ends just before were returns that lists told
  bool has_checkpoint = false;          // an artifact named kCheckpointName exists
  int checkpoint_attempt = 0;           // the latest attempt that left one
};

struct Inserted {};
struct Claimed {
  OpenAttempt attempt;
};
struct Ended {
  bool repeated = false;  // the same report had been accepted before
  core::JobState state = core::JobState::queued;
  std::string queue;
  core::ReadyKey key;
  std::optional<WallTime> wake_at;
};
struct Changed {
  bool changed = false;
  bool was_ready = false;                          // it was queued, due and without a lease before
  core::JobState before = core::JobState::queued;  // stored states, and `running` where a lease is concerned
  core::JobState after = core::JobState::queued;   // visible state
  std::optional<core::JobState> wanted;            // of its lease, where it has one
  std::string queue;
  core::ReadyKey key;
  std::optional<WallTime> wake_at;  // of a job that is queued but not due
  bool suspect = false;
};
struct ReadyJob {
  std::string queue;
  core::ReadyKey key;
  bool suspect = false;
};
struct Woken {
  std::vector<ReadyJob> ready;
  std::optional<WallTime> next;  // the earliest wake_at that remains
};
struct LaunchInserted {
  LaunchId launch;
};
struct WorkerRow {
  WorkerId id;
  std::string instance_id;
  PoolId pool;
  std::string pool_name;
  LaunchId launch;  // 0: none
  core::WorkerState state = core::WorkerState::starting;
  int slots = 0;
  core::Resources capacity;
  std::string hostname;
  std::string instance_type;
  std::string zone;
  bool spot = false;
  std::string reason;   // of the last change
  Sha256 token_hash{};  // zero until registered
  std::string nonce;    // of the registration
  WallTime created;
  std::optional<WallTime> registered;
  std::optional<WallTime> last_seen;
  std::optional<WallTime> ended;
  std::optional<WallTime> notice_until;  // it has an interruption notice: its machine goes by then
  std::vector<std::string> queues;       // of its pool
};
struct WorkersAdded {
  std::vector<WorkerRow> workers;  // new ones
};
struct WorkerChanged {
  WorkerRow worker;
  bool changed = false;
};
struct PoolRow {
  PoolId id;
  core::PoolSpec spec;
  std::int64_t version = 1;
  std::string blocked_reason;
};
struct PoolPut {
  PoolRow pool;
};

using Applied = std::variant<Ok, Inserted, Claimed, Ended, Changed, Woken, LaunchInserted, WorkersAdded,
                             WorkerChanged, PoolPut>;
using Outcome = Result<Applied>;  // an Error refuses this command alone

}  // namespace drover::ports
