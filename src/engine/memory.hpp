#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "drover/core/job/ready_index.hpp"
#include "drover/core/tunables.hpp"
#include "drover/core/worker/lease.hpp"
#include "drover/engine/engine.hpp"
#include "drover/ports/store.hpp"

namespace drover::engine {

struct Lease {
  ports::OpenAttempt attempt;
  core::LeaseTerm term;
  bool ending = false;       // an end of ours is on its way to the store
  SteadyTime alone_until{};  // of a suspect: until then its worker is given nothing else
  std::optional<SteadyTime> neighbour_broke = {};  // another attempt of its worker ended as infra then
};

struct Worker {
  ports::WorkerRow row;
  std::set<JobNumber> jobs;                // its leases
  int claiming = 0;                        // claims under way
  bool claiming_alone = false;             // one of them is of a suspect
  std::optional<SteadyTime> heard;         // in this term of leadership
  std::optional<SteadyTime> asked;         // likewise, for work
  std::optional<WallTime> unflushed_seen;  // heartbeat not yet written
  SteadyTime idle_since;
};

struct QueueCount {
  std::int64_t ready = 0;
  int leased = 0;
  std::int64_t in_flight = 0;  // of `ready`: claims not yet committed
  std::int64_t announced = 0;  // unserved work when the reconciler was last told of it
};

// What the engine remembers while it leads. Rebuilt from the store at the start of every term; afterwards it
// changes only by what was committed (changes/*.cpp) and by heartbeats. Owned by the engine's thread.
class Memory {
 public:
  Memory() : ready(limits::kReadyKeys), suspects(limits::kReadyKeys) {}

  void boot(ports::BootState state, SteadyTime now, WallTime wall);

  void add_ready(const ports::ReadyJob& job);
  // Ready, or at `wake_at` if that is given.
  void queued_again(const ports::ReadyJob& job, std::optional<WallTime> wake_at);
  // An attempt begins, and ends. `alone`: for so long its worker is given nothing else.
  void open(ports::OpenAttempt attempt, SteadyTime now, SteadyTime::duration alone);
  void close(JobNumber job, SteadyTime now);
  void put_worker(ports::WorkerRow row, SteadyTime now);
  // The worker serves these queues, which are rescanned from now on.
  void serve(Worker& worker, std::vector<std::string> names);

  [[nodiscard]] Worker* worker(WorkerId id);
  [[nodiscard]] Lease* lease(JobNumber job);
  // The lease, if it is this attempt with this token.
  [[nodiscard]] Lease* fenced_lease(JobNumber job, int attempt, const Sha256& token_hash);
  // Does it hold, or claim, a suspect that is to run alone still?
  [[nodiscard]] bool runs_alone(const Worker& worker, SteadyTime now) const;
  // Is there ready work that no claim under way will take?
  [[nodiscard]] bool has_unserved() const;
  [[nodiscard]] Seconds lease_term() const { return Seconds{tunables.lease_s}; }

  std::unordered_map<JobNumber, Lease> leases;
  std::map<WorkerId, Worker> workers;
  std::map<PoolId, ports::PoolRow> pools;
  std::map<std::string, QueueCount> queues;
  core::ReadyIndex ready;     // without the suspects
  core::ReadyIndex suspects;  // these alone
  std::optional<WallTime> next_wake;
  core::Tunables tunables;
  bool paused = false;
  Uuid deployment;
  Secret deployment_secret;
  std::int64_t epoch = 0;
  std::int64_t jobs_submitted = 0;
  std::int64_t attempts_ended = 0;
};

}  // namespace drover::engine
