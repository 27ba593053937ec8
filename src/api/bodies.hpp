#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "drover/schema/job.hpp"
#include "drover/schema/pool.hpp"
#include "drover/services/services.hpp"

// The tables of the bodies of requests and answers, except for types of the domain, whose tables are in
// `schema`. A body is read, written and documented by its table alone.
namespace drover::api {

// ---- jobs
const schema::Table<ports::JobRow>& job_table();
const schema::Table<ports::AttemptRow>& attempt_table();
const schema::Table<ports::ArtifactRow>& artifact_table();
const schema::Table<services::Explanation>& explanation_table();
// One job, or an array of them, checked against every bound. What a job does not say is left open
// (core::kUnsaidAttempts). too_large, before they are looked at, for more than limits::kJobsPerRequest.
Result<std::vector<core::JobSpec>> parse_jobs(const Json& body);
// What an action on a job came to.
struct JobChange {
  JobNumber number;
  engine::ActAnswer answer;
};
const schema::Table<JobChange>& job_change_table();

// ---- pools, workers, queues
const schema::Table<ports::PoolRow>& pool_table();
// A pool in a request; its version and blocked_reason are ignored, so that clients can send back what GET
// gave.
const schema::Table<ports::PoolRow>& pool_request_table();
const schema::Table<ports::PoolRow>& new_pool_table();  // likewise, and it must have a name
// Reads a pool from the body of POST /pools; or, with the name of the path, of PUT or PATCH, over `present`.
Result<core::PoolSpec> parse_pool(const Json& body, core::PoolSpec present = {}, std::string_view name = {});
const schema::Table<services::WorkerSeen>& worker_table();
struct WorkerChange {
  services::WorkerSeen worker;
  bool changed = false;
};
const schema::Table<WorkerChange>& worker_change_table();
struct QueueShown {
  std::string name;
  engine::QueueView queue;
  bool counting = false;  // how many jobs are ready is not known yet
};
const schema::Table<QueueShown>& queue_table();
// The same without the name, for an object in which the name is the key.
const schema::Table<QueueShown>& queue_length_table();
const schema::Table<core::Tunables>& tunables_table();

// ---- the worker protocol
struct Registered {
  engine::Registered worker;
  std::string token;  // the worker's bearer token
};
struct Claim {
  std::string nonce;
  int slots = 1;
  Seconds wait = limits::kLongPoll;
};
struct Heartbeat {
  std::vector<engine::AttemptRef> attempts;
  std::string notice;
};
struct Finish {
  core::Outcome outcome = core::Outcome::failure;
  std::optional<int> exit_code;
  std::optional<int> signal;
  std::string reason;
};
struct Release {
  std::string reason;
  std::string notice;
};
struct LogAppended {
  std::int64_t next_offset = 0;
};
struct FileKept {
  std::string name;  // empty: the checkpoint
  std::int64_t size = 0;
  Sha256 sha256{};
};
const schema::Table<engine::Registration>& registration_table();
const schema::Table<Registered>& registered_table();
const schema::Table<Claim>& claim_request_table();
const schema::Table<engine::ClaimAnswer>& claim_table();
const schema::Table<Heartbeat>& heartbeat_table();
const schema::Table<engine::HeartbeatAnswer>& heartbeat_answer_table();
const schema::Table<Finish>& finish_table();
const schema::Table<Release>& release_table();
const schema::Table<engine::ReportAnswer>& reported_table();
const schema::Table<LogAppended>& log_appended_table();
const schema::Table<FileKept>& file_kept_table();

// ---- the daemon
struct Pause {
  bool is_paused = false;
};
const schema::Table<Pause>& pause_table();
struct Index {
  std::string version;
  std::vector<std::string> routes;  // "GET /jobs"
};
const schema::Table<Index>& index_table();
struct DaemonStatus {
  std::shared_ptr<const engine::EngineView> view;  // never null
  ports::FleetNotes notes;
  std::optional<services::FleetCapacity> capacity;  // absent: not known
  std::string hostname;
  int port = 0;
  std::string version;
};
const schema::Table<DaemonStatus>& status_table();
// The body of every error but those of /scheduler.
struct Problem {};
const schema::Table<Problem>& problem_table();

}  // namespace drover::api
