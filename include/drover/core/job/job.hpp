#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/ids.hpp"
#include "drover/base/result.hpp"

namespace drover::core {

// What a client sees. `running` and `stopping` are not stored: a job runs while it has a lease, and is
// stopping while that lease's wanted state is not `run`.
enum class JobState { blocked, queued, running, stopping, held, suspended, succeeded, failed, cancelled };

std::string_view to_string(JobState state);
std::optional<JobState> parse_job_state(std::string_view text);
std::span<const std::string_view> job_state_names();
[[nodiscard]] constexpr bool is_final(JobState state) {
  return state == JobState::succeeded || state == JobState::failed || state == JobState::cancelled;
}

// How one attempt ended. `interruption`: the cloud took the machine, or its end was asked for (unlimited
// unless asked). `infra`: machine or worker ended in any other way (charged, it counts towards poison).
// `failure`: the job's own (counts towards max_attempts).
// `stopped`: as a person asked for. `returned`: there is evidence that its worker never had it.
enum class Outcome { succeeded, failure, interruption, infra, stopped, returned };

std::string_view to_string(Outcome outcome);
std::optional<Outcome> parse_outcome(std::string_view text);

// Why a job's own process failed, where its worker says no more: "exit code 3", "killed by signal 9
// (SIGKILL)"; empty when neither is known.
std::string failure_reason(std::optional<int> exit_code, std::optional<int> signal);

// The end of an attempt counts in at most one of the three.
struct Counters {
  int failures = 0;
  int infra = 0;
  int interruptions = 0;
  bool operator==(const Counters&) const = default;
};

// What `max_attempts` is while a job on its way to the engine does not say it. The service that takes the job
// fills in the tunable default_max_attempts.
inline constexpr int kUnsaidAttempts = 0;

struct RetryRules {
  int max_attempts = 1;                  // failures allowed in all, 1..1000
  std::optional<int> max_interruptions;  // unlimited when absent
  Seconds backoff{5};                    // after a failure: backoff * 2^(failures-1), at most an hour
  bool operator==(const RetryRules&) const = default;
};

struct Resources {
  double cpus = 1;
  std::int64_t mem_mib = 0;  // 0: not asked for
  std::int64_t disk_mib = 0;
  int gpus = 0;
  bool operator==(const Resources&) const = default;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

// What a client asks for. Validated (schema/job.hpp); `task` is the client's own JSON text.
struct JobSpec {
  std::string queue = "default";
  std::string name;
  std::string owner;
  int priority = 0;  // higher first
  std::string task;  // {"command": "shell text"} or {"args": ["program", …]}, both with optional "env": {…}
  Resources resources;
  Labels labels;
  RetryRules retry;
  Seconds timeout{0};  // of one attempt; 0: none
  std::optional<WallTime> run_at;
  bool hold = false;  // starts held
};

// Rank orders a queue: smaller first. Rank = -priority.
struct ReadyKey {
  std::int32_t rank = 0;
  std::int64_t number = 0;
  auto operator<=>(const ReadyKey&) const = default;
};

// What the transition decisions look at: the stored state and, if it runs, its lease.
struct JobBrief {
  JobState stored = JobState::queued;  // never running or stopping
  bool leased = false;
  JobState wanted = JobState::running;  // of the lease: running, or what it is stopping for (held, cancelled)
};

[[nodiscard]] JobState visible_state(const JobBrief& job);

}  // namespace drover::core
