#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drover/base/limits.hpp"
#include "drover/base/result.hpp"
#include "drover/ports/rows.hpp"

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
  int limit = limits::kPageRowsDefault;
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

// What the reconciler compares with a listing: one statement-level snapshot.
struct FleetSnapshot {
  std::vector<WorkerRow> workers;   // all but gone
  std::vector<LaunchRow> launches;  // open ones: intended, and fulfilled within the last hour
};

// A count of the ready jobs of each queue. It takes long with many jobs, so that it has a connection of its
// own and no other read waits for it. One thread at a time, but for cancel().
class DepthCount {
 public:
  virtual ~DepthCount() = default;
  // Fixes what is counted: what is committed from now on does not count. Quick.
  virtual Status begin() = 0;
  // After begin(), once; blocks. Queues without a ready job are left out. unavailable: the connection was
  // lost, or the count was cancelled.
  virtual Result<std::vector<QueueDepth>> result() = 0;
  virtual void cancel() = 0;  // any thread
};

// What is stored, as it was committed. Blocking, thread-safe; over a pool of connections that come back by
// themselves. unavailable while the store is away.
class Reads {
 public:
  virtual ~Reads() = default;

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

  // Jobs that are queued, due and without a lease, on a connection that no other reader uses: claims wait for
  // the answer.
  virtual Result<ReadyAnswer> ready(const ReadyQuestion& question) = 0;
  virtual Result<std::unique_ptr<DepthCount>> open_count() = 0;  // connects
};

}  // namespace drover::ports
