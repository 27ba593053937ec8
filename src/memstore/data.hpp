#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "drover/ports/changes.hpp"
#include "drover/ports/reads.hpp"

// The rows, as the schema of the database has them.
namespace drover::memstore {

struct Job {
  Uuid id;
  core::JobSpec spec;
  core::JobState state = core::JobState::queued;  // stored
  int attempts = 0;                               // that ended
  core::Counters counters;
  std::string reason;
  WallTime created;
  std::optional<WallTime> started, finished, wake_at;
  std::optional<int> exit_code, signal;
  std::vector<WorkerId> infra_workers;
  Seconds alone{0};
  int charges = 0;
  int returns = 0;
};

struct Lease {
  int attempt = 0;
  WorkerId worker;
  std::string nonce;
  Sha256 token_hash{};
  WallTime started;
  core::JobState wanted = core::JobState::running;
};

struct Attempt {
  WorkerId worker;
  WallTime started, ended;
  core::Outcome outcome = core::Outcome::succeeded;
  std::optional<int> exit_code, signal;
  std::string reason;
  Sha256 token_hash{};
  bool reported = false;  // its worker said so itself
};

struct Launch {
  PoolId pool;
  core::LaunchRequest request;
  Sha256 bootstrap_hash{};
  core::LaunchState state = core::LaunchState::intended;
  std::string error;
  WallTime created;
};

struct Pool {
  core::PoolSpec spec;
  std::int64_t version = 1;
  std::string blocked_reason;
};

struct Event {
  std::string kind;
  std::int64_t subject = 0;
};

struct Data {
  std::map<JobNumber, Job> jobs;
  std::map<JobNumber, Lease> leases;
  std::map<std::pair<JobNumber, int>, Attempt> attempts;
  std::map<std::pair<JobNumber, std::string>, std::map<int, ports::ArtifactRow>> artifacts;  // by attempt
  std::map<WorkerId, ports::WorkerRow> workers;
  std::map<WorkerId, std::string> versions;  // of the worker programs
  std::map<LaunchId, Launch> launches;
  std::map<PoolId, Pool> pools;
  std::map<std::string, std::string> settings;  // the tunables: key → JSON text
  bool paused = false;
  std::int64_t epoch = 0;
  std::int64_t next_number = 1;
  std::vector<Event> events;

  void happened(std::string kind, std::int64_t subject = 0) { events.push_back({std::move(kind), subject}); }
  [[nodiscard]] Job* job(JobNumber number);
  [[nodiscard]] const Lease* lease(JobNumber number) const;
  [[nodiscard]] bool is_leased(WorkerId worker) const;
  [[nodiscard]] std::map<PoolId, Pool>::iterator pool(const std::string& name);
  // As it is read: with its pool's name and queues.
  [[nodiscard]] ports::WorkerRow worker_row(WorkerId id) const;
  // The job's part of an attempt that begins or is open.
  [[nodiscard]] ports::OpenAttempt open_attempt(JobNumber number) const;
};

// What a change does to the rows; an Error refuses it. Specialised in the file of each change, which ends
// with DROVER_IN_MEMORY(ports::<Change>).
template <class C>
struct InMemory;

// Defined by the file of the change; a change without it does not link.
template <class C>
Result<ports::AnswerOf<C>> carry_out(Data& data, const C& change);

// Errc::data for text that no row can hold.
[[nodiscard]] Status check_text(std::string_view text);

}  // namespace drover::memstore
