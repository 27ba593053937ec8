#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "drover/base/limits.hpp"
#include "drover/base/result.hpp"
#include "drover/ports/changes.hpp"

namespace drover::ports {

// Rows as read, for lists and answers.
struct JobRow {
  JobNumber number;
  Uuid id;
  core::JobSpec spec;
  core::JobState state = core::JobState::queued;  // visible
  std::int64_t revision = 1;                      // bumped by user edits only
  int attempts = 0;                               // the open one included
  core::Counters counters;
  std::string reason;
  WallTime created;
  std::optional<WallTime> started;  // of the latest attempt
  std::optional<WallTime> finished;
  std::optional<WallTime> wake_at;  // queued, but not before this
  std::optional<int> exit_code;     // of the latest ended attempt
  std::optional<int> signal;        // likewise
  std::string worker;               // instance id, while running
  Seconds alone{0};                 // a suspect: its next attempt has a worker to itself for so long
  int charges = 0;                  // infra ends that it met alone
};

struct AttemptRow {
  JobNumber job;
  int attempt = 0;
  WorkerId worker;
  std::string instance_id;
  WallTime started;
  std::optional<WallTime> ended;  // absent: open
  std::optional<core::Outcome> outcome;
  std::optional<int> exit_code;
  std::optional<int> signal;
  std::string reason;
};

struct ArtifactRow {
  int attempt = 0;
  std::string name;
  std::int64_t size = 0;
  Sha256 sha256{};
  WallTime created;
};

struct LaunchRow {
  LaunchId id;
  PoolId pool;
  std::string pool_name;
  core::LaunchRequest request;
  core::LaunchState state = core::LaunchState::intended;
  int instances = 0;  // workers that came of it
  std::string error;  // of the last call
  WallTime created;
};

struct JobFilter {
  std::optional<core::JobState> state;
  std::optional<std::string> queue;
  std::optional<std::string> name;
  std::optional<JobNumber> before;  // numbers below this: the list runs newest first
  int limit = 100;
  // The list ends behind the row with which the tasks' text reaches this many bytes, however few rows that
  // are.
  std::int64_t task_bytes = static_cast<std::int64_t>(limits::kPageBytes);
};

// Ready jobs of one queue, in order.
struct ReadyQuestion {
  std::string queue;
  bool suspects = false;                     // these alone, or all others
  std::optional<core::ReadyKey> after = {};  // from the first one
  int limit = 0;
};
struct ReadyAnswer {
  std::vector<core::ReadyKey> keys;
  std::int64_t epoch = 0;  // of the leader, as the server had it that was asked
};

struct QueueDepth {
  std::string queue;
  std::int64_t ready = 0;  // queued and due, no lease
};

// Memory at the start of a term of leadership.
struct BootState {
  std::vector<OpenAttempt> open;
  std::vector<WorkerRow> workers;  // all but gone
  std::vector<PoolRow> pools;
  std::optional<WallTime> next_wake;
  bool paused = false;
  std::vector<std::pair<std::string, std::string>> settings;  // key → JSON text
  Uuid deployment;
  Secret deployment_secret;
  std::int64_t epoch = 0;
};

// What the reconciler compares with a listing: one statement-level snapshot.
struct FleetSnapshot {
  std::vector<WorkerRow> workers;   // all but gone
  std::vector<LaunchRow> launches;  // open ones: intended, and fulfilled within the last hour
};

// The leader's connection. Holds leadership (an advisory lock) for its whole life, never reconnects: losing
// the connection is losing leadership, and every later call answers unavailable. One thread at a time.
class WriteSession {
 public:
  virtual ~WriteSession() = default;
  virtual Result<BootState> boot() = 0;
  // One transaction; how each change went, in the order of `batch`. At most one change per key in a batch. An
  // Error means that nothing is known to be committed: `data` (rolled back: rerun in halves), `unavailable`
  // (the session is dead, and nothing was committed), `commit_unknown` (the session is dead; detail =
  // transaction id, see Store::resolve). take_partial() then says how each went if it did commit.
  virtual Result<std::vector<Settled>> commit(std::span<const Change> batch) = 0;
  virtual std::vector<Settled> take_partial() = 0;
  // First of `count` consecutive numbers that nobody else gets. Numbers of a crashed daemon are skipped.
  virtual Result<JobNumber> reserve_numbers(int count) = 0;
  // Reserved numbers that were not used are the next to be reserved again, if they are the last that were;
  // otherwise nothing happens, and they are skipped.
  virtual Status give_back_numbers(JobNumber first, std::int64_t count) = 0;
  // Keeps the session from idling out. Called every third of the takeover time.
  virtual Status ping() = 0;
};

// A count of the ready jobs of each queue, on a connection of its own: it takes time with many jobs, for
// which nobody waits. One thread at a time, but for cancel().
class DepthCount {
 public:
  virtual ~DepthCount() = default;
  // From now on the count is of what was committed until now, whatever is committed later. Quick.
  virtual Status begin() = 0;
  // After begin(), once; blocks. Queues without a ready job are left out. unavailable: the connection was
  // lost, or the count was cancelled.
  virtual Result<std::vector<QueueDepth>> result() = 0;
  virtual void cancel() = 0;  // any thread
};

enum class TransactionFate { committed, aborted, in_progress };

// Reads: blocking, thread-safe, a pool of connections that come back by themselves; unavailable while the
// store is away.
class Store {
 public:
  virtual ~Store() = default;

  // Brings the schema up to date under a lock. Refuses (conflict) a database that is newer or whose applied
  // migrations differ.
  virtual Result<int> migrate() = 0;  // migrations applied
  // Becomes leader or answers conflict when another is ("another daemon leads"). Raises leader.epoch.
  virtual Result<std::unique_ptr<WriteSession>> lead() = 0;
  // What became of a transaction whose COMMIT reply was lost. While it is in progress its backend is ended
  // first.
  virtual Result<TransactionFate> resolve(const std::string& transaction_id) = 0;
  virtual Status ping() = 0;
  // Connects.
  virtual Result<std::unique_ptr<DepthCount>> open_count() = 0;
  // Jobs that are queued, due and without a lease, on a connection that no other reader uses: claims wait for
  // the answer.
  virtual Result<ReadyAnswer> ready(const ReadyQuestion& question) = 0;
  // Tables for the coming days, on a connection of its own. May take its time. Rows of a day without tables
  // go into one table for all days; a batch with such rows that is committed meanwhile is refused
  // (unavailable).
  virtual Status make_partitions(WallTime now) = 0;

  virtual Result<std::optional<JobRow>> job(JobNumber number) = 0;
  virtual Result<std::vector<JobRow>> jobs(const JobFilter& filter) = 0;
  virtual Result<std::vector<AttemptRow>> attempts(JobNumber number) = 0;  // oldest first, the open one last
  // By name, those above `after`: the latest attempt's of each, without the checkpoint.
  virtual Result<std::vector<ArtifactRow>> artifacts(JobNumber number, std::string_view after, int limit) = 0;
  // The latest attempt's of this name.
  virtual Result<std::optional<ArtifactRow>> artifact(JobNumber number, std::string_view name) = 0;
  virtual Result<std::vector<WorkerRow>> workers(bool with_gone, std::optional<WorkerId> before,
                                                 int limit) = 0;
  virtual Result<std::optional<WorkerRow>> worker(const std::string& instance_id_or_number) = 0;
  virtual Result<std::vector<PoolRow>> pools() = 0;
  virtual Result<FleetSnapshot> fleet() = 0;
  // The launch whose bootstrap token has this hash, if any.
  virtual Result<std::optional<LaunchRow>> launch_by_token(const Sha256& bootstrap_hash) = 0;
};

}  // namespace drover::ports
