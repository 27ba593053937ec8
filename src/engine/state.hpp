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
#include "drover/ports/leader_session.hpp"

#include "accounts.hpp"

namespace drover::engine {

struct Lease {
  ports::OpenAttempt attempt;
  core::LeaseTerm term;
  bool end_staged = false;  // an end of our own waits for its batch: not to be staged again
  bool end_sent = false;    // the writer has its end, which is not taken back whatever is heard meanwhile
  std::optional<SteadyTime> heard_meanwhile = {};  // by which it is renewed if that end is refused
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

  [[nodiscard]] int busy() const { return static_cast<int>(jobs.size()) + claiming; }
};

// What the engine remembers while it leads. Rebuilt from the store at the start of every term; afterwards it
// changes only by what was committed (changes/*.cpp) and by heartbeats. The engine's thread alone.
class State {
 public:
  State() : ready(limits::kReadyKeys), suspects(limits::kReadyKeys) {}

  void boot(ports::BootState state, SteadyTime now, WallTime wall);

  void add_ready(const ports::ReadyJob& job);
  // Ready, or at `wake_at` if that is given.
  void queued_again(const ports::ReadyJob& job, std::optional<WallTime> wake_at);
  // An attempt begins. `alone`: for so long its worker is given nothing else.
  void open(ports::OpenAttempt attempt, SteadyTime now, SteadyTime::duration alone);
  // An attempt ends.
  void close(JobNumber job, SteadyTime now);
  void put_worker(ports::WorkerRow row, SteadyTime now);
  // A pool serves these queues.
  void serve_queues(const std::vector<std::string>& queues);
  // The queue's keys in memory are forgotten, and read again when they are needed.
  void restart(const std::string& queue);
  // The process stood still for so long: nobody could be heard in that time.
  void stood_still(SteadyTime::duration time);

  [[nodiscard]] Worker* worker(WorkerId id);
  [[nodiscard]] Lease* lease(JobNumber job);
  // The lease, if it is this attempt's.
  [[nodiscard]] Lease* lease(JobNumber job, int attempt);
  // The lease, if it is this attempt with this token.
  [[nodiscard]] Lease* fenced_lease(const AttemptRef& ref);
  // Does it hold, or claim, a suspect that is to run alone still?
  [[nodiscard]] bool runs_alone(const Worker& worker, SteadyTime now) const;
  // Is there a job that could be claimed, as far as is known?
  [[nodiscard]] bool may_have_work(const std::string& queue) const;
  [[nodiscard]] std::int64_t waiting_in_memory(const std::string& queue) const;
  [[nodiscard]] Seconds lease_term() const { return Seconds{tunables.lease_s}; }
  [[nodiscard]] core::ReadyIndex& index(bool of_suspects) { return of_suspects ? suspects : ready; }

  std::unordered_map<JobNumber, Lease> leases;
  std::map<WorkerId, Worker> workers;
  std::map<PoolId, ports::PoolRow> pools;
  Accounts accounts;
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
