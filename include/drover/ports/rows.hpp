#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/ids.hpp"
#include "drover/base/secret.hpp"
#include "drover/core/fleet/facts.hpp"
#include "drover/core/job/job.hpp"

// Rows that changes answer with and the engine remembers.
namespace drover::ports {

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

// A job that is queued and due, without a lease.
struct ReadyJob {
  std::string queue;
  core::ReadyKey key;
  bool suspect = false;
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

struct PoolRow {
  PoolId id;
  core::PoolSpec spec;
  std::int64_t version = 1;
  std::string blocked_reason;
};

}  // namespace drover::ports
