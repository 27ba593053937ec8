#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/limits.hpp"
#include "drover/base/result.hpp"
#include "drover/base/secret.hpp"
#include "drover/core/tunables.hpp"
#include "drover/ports/changes.hpp"
#include "drover/ports/metrics.hpp"
#include "drover/ports/store.hpp"

namespace drover::engine {

// Called once, on the thread of the engine's answers, or at once on the caller's when the call is refused.
// Must not block: all other answers wait behind it.
template <class T>
using Done = std::function<void(Result<T>)>;

struct EngineOptions {
  Seconds takeover{5};  // the store ends the session of a leader silent for this long
  std::size_t queue_limit = limits::kChangeQueue;
  // The ready keys of one queue are read anew this often, so that rows changed by hand are noticed.
  Millis rescan{30'000};
  // Asked before each try to lead: an Error keeps the daemon waiting, with its message as the reason (the
  // schema is not ready).
  std::function<Status()> before_lead;
  // Extra preconditions of leadership (the artifact store's marker), asked with the deployment's id.
  std::function<Status(const Uuid&)> may_lead;
};

struct Submitted {
  JobNumber number;
  Uuid id;
  core::JobState state = core::JobState::queued;
  WallTime created;
};

// What a worker presents with every call but registration.
struct WorkerAuth {
  WorkerId worker;
  Token token;
};

struct Registration {
  std::string instance_id;
  Secret bootstrap;
  std::string nonce;
  int slots = 1;
  core::Resources capacity;
  std::string hostname;
  std::string version;
};
struct Registered {
  WorkerId worker;
  Secret token;
  std::string pool;
  std::vector<std::string> queues;
  int slots = 1;
  int heartbeat_interval_s = 5;
  int notice_poll_s = 2;
};

struct ClaimRequest {
  WorkerAuth auth;
  std::string nonce;           // 1..64 of [A-Za-z0-9-]; repeating it gives the same open attempts
  int slots = 1;               // wanted now
  Seconds wait{20};            // at most limits::kLongPoll; 0 answers at once
  std::function<bool()> open;  // is the peer still there: asked before anything is claimed; any thread
};
struct ClaimedJob {
  ports::OpenAttempt attempt;
  Secret token;
  std::int64_t max_log_bytes = 0;  // the tunable as it was when this was answered: of each log of the attempt
  std::int64_t delivery = 0;       // the number of this handing out, see core::LeaseTerm
};
// One handing out of an attempt.
struct Delivery {
  JobNumber job;
  int attempt = 0;
  std::int64_t serial = 0;  // ClaimedJob::delivery
};
struct ClaimAnswer {
  std::vector<ClaimedJob> jobs;  // empty: nothing within the wait
  bool drain = false;            // the worker is to claim no more, and may end once it runs nothing
};

struct AttemptRef {
  JobNumber job;
  int attempt = 0;
  Token token;
};
struct Heartbeat {
  WorkerAuth auth;
  std::vector<AttemptRef> attempts;   // all that it runs
  std::optional<std::string> notice;  // its interruption notice, as the cloud gave it: it drains from now on
};
struct HeartbeatAnswer {
  // For the worker to stop: cancelled, held, or no longer its own; tokens are empty.
  std::vector<AttemptRef> stop;
  bool drain = false;
  int interval_s = 5;
};

struct Report {
  WorkerAuth auth;
  AttemptRef attempt;
  // succeeded, failure, stopped, infra; absent: the attempt is given back
  std::optional<core::Outcome> outcome;
  std::optional<std::string> notice;  // given back because of this interruption notice
  std::optional<int> exit_code;
  std::optional<int> signal;
  std::string reason;
};
struct ReportAnswer {
  bool repeated = false;
  core::JobState state = core::JobState::queued;  // of the job now
};

struct ActAnswer {
  bool changed = false;
  core::JobState state = core::JobState::queued;
};

struct WorkerView {
  WorkerId id;
  std::string instance_id;
  std::string pool;
  core::WorkerState state = core::WorkerState::starting;
  int slots = 0;
  int leases = 0;
  bool registered = false;
  std::optional<Millis> silent_for;  // since its last call in this term; absent: none yet
  std::optional<Millis> idle_for;  // without a lease for this long; absent: it has one, or is not registered
  bool alone = false;              // its lease is a suspect's that has it to itself
  std::optional<Millis> asked_ago = {};  // for work, in this term; 0: it is asking; absent: not yet
};
struct QueueView {
  std::int64_t ready = 0;  // while EngineView::counting, those in memory alone
  int leased = 0;
  std::int64_t suspects = 0;  // of `ready`, those that wait for a worker to themselves
};
// Which queues a view names. Clients make up queue names without end, so that no view names all of them.
struct QueuesWanted {
  enum class Which { served, longest, by_name };
  Which which = Which::served;  // those that a pool names; `longest`: those too
  std::size_t limit = 0;        // of the longest, or by name: at most so many
  std::string after;            // by name: those above it
};
struct QueueSum {
  std::int64_t count = 0;
  std::int64_t ready = 0;
  std::int64_t leased = 0;
};
// Memory, for /status, /explain, /metrics and the reconciler. The view of a daemon that does not lead names
// no queue, worker or pool. While the daemon stops, only standby_reason is set.
struct EngineView {
  bool leading = false;  // and it is certain that no other daemon does
  // While leading: no other daemon can have become leader before this time, unless an operator or a restart
  // of the server ended our session. Before a call outside the store, such as one of the cloud, that is made
  // later than this, ask for a new view.
  SteadyTime trusted_until{};
  std::string standby_reason;  // why not leading
  bool store_reachable = false;
  bool paused = false;
  Uuid deployment;
  Secret deployment_secret;
  std::int64_t epoch = 0;
  core::Tunables tunables;
  bool counting = false;  // how many jobs are ready is not known yet: the term began not long ago
  std::map<std::string, QueueView> queues;  // those that were wanted
  QueueSum other_queues;                    // all others, together; `ready` says nothing while counting
  std::vector<WorkerView> workers;
  std::vector<ports::PoolRow> pools;
  std::int64_t jobs_submitted = 0;  // since start
  std::int64_t attempts_ended = 0;
};
// When each of the engine's threads last went round its loop, busy or idle. Up to a second may pass between
// two rounds of a healthy thread.
struct EnginePulse {
  SteadyTime engine{};
  SteadyTime writer{};
};
struct JobPlace {
  bool in_memory = false;  // false: behind more jobs than memory holds
  std::int64_t ahead = 0;  // jobs of its queue before it
  std::int64_t ready = 0;  // all of its queue, unless they are being counted
};

// What may be asked of the queue engine. Every method may be called from any thread, returns at once and
// answers through its Done, from a thread of the engine's. While this daemon does not lead, or the store is
// away, the answer is `unavailable` with retry_after_s; when the queue is full, `overloaded`. Workers' calls
// and all others are bounded apart. Nothing is answered as done before it is committed.
class Engine {
 public:
  virtual ~Engine() = default;

  // 1..limits::kJobsPerRequest specs, validated; all or none.
  virtual void submit(std::vector<core::JobSpec> specs, Done<std::vector<Submitted>> done) = 0;
  virtual void act(ports::ActOnJob act, Done<ActAnswer> done) = 0;

  virtual void register_worker(const Registration& registration, Done<Registered> done) = 0;
  virtual void claim(ClaimRequest request, Done<ClaimAnswer> done) = 0;
  // The answer that handed these out was not wholly written: they go back to their queues as if they had not
  // been claimed, but for those that were handed out again since, or whose worker has shown to have them.
  virtual void unclaim(std::vector<Delivery> deliveries) = 0;
  virtual void heartbeat(Heartbeat heartbeat, Done<HeartbeatAnswer> done) = 0;
  virtual void report(Report report, Done<ReportAnswer> done) = 0;
  // Is this a worker's token, by what was last committed: unauthenticated otherwise. At once, from any
  // thread: for deciding on a request before its body is read.
  [[nodiscard]] virtual Status check_worker(const WorkerAuth& auth) const = 0;
  // Is this the open attempt of that worker: for logs and artifacts. stale otherwise.
  virtual void check_attempt(WorkerAuth auth, AttemptRef attempt, Done<ports::OpenAttempt> done) = 0;
  virtual void put_artifact(WorkerAuth auth, AttemptRef attempt, std::string name, std::int64_t size,
                            Sha256 sha256, Done<Ok> done) = 0;

  // The reconciler's and the operator's changes: launches, workers, pools, scheduler, tunables.
  template <class C>
  void apply(C change, Done<ports::AnswerOf<C>> done) {
    apply_any(std::move(change), [done = std::move(done)](ports::Settled settled) {
      done(std::move(ports::result_of<C>(settled)));
    });
  }
  // Ends all open attempts of a worker with this outcome, then changes it to gone.
  // `with_many`: more of the fleet was lost at once than is credible, which says nothing against its jobs.
  virtual void lose_worker(WorkerId worker, core::Outcome outcome, std::string reason, bool with_many,
                           Done<Ok> done) = 0;

  // Memory as it is a moment after the call; takes time of the engine's thread. For pages of queues, and for
  // the reconciler, which must not plan from a view older than what it read from the store before.
  void view(Done<EngineView> done) { view({}, std::move(done)); }
  virtual void view(QueuesWanted queues, Done<EngineView> done) = 0;
  // What the engine's thread last showed: at once, and even while that thread is busy. Leadership, the pause
  // and the tunables are those of the last change that was answered; the figures of queues, workers and pools
  // may be a tenth of a second old, or ten times as old as it takes to gather them. No leader is shown once
  // another daemon may lead, nor once that thread has made no round for ten seconds. Never null.
  [[nodiscard]] virtual std::shared_ptr<const EngineView> shown() const = 0;
  [[nodiscard]] virtual EnginePulse pulse() const = 0;
  virtual void place(std::string queue, core::ReadyKey key, Done<JobPlace> done) = 0;

 protected:
  virtual void apply_any(ports::Change change, std::function<void(ports::Settled)> done) = 0;
};

// The queue engine itself: leadership, the ready index, leases, waiters. One thread owns all of its memory
// and decides; another is the only writer of the store, and carries out what the first gives it.
class QueueEngine final : public Engine {
 public:
  QueueEngine(ports::Store& store, const Clock& clock, ports::Metrics& metrics, EngineOptions options);
  ~QueueEngine() override;  // stop()s
  QueueEngine(const QueueEngine&) = delete;
  QueueEngine& operator=(const QueueEngine&) = delete;

  void start();
  // Answers what is queued, ends waiters empty-handed, gives leadership up.
  void stop();
  // Called (from the engine's thread, must not block) when something changed that the reconciler should look
  // at soon: work that no waiting worker takes, an ended worker, an edited pool, a resume, new leadership.
  void on_demand(std::function<void()> hook);

  using Engine::view;
  void submit(std::vector<core::JobSpec> specs, Done<std::vector<Submitted>> done) override;
  void act(ports::ActOnJob act, Done<ActAnswer> done) override;
  void register_worker(const Registration& registration, Done<Registered> done) override;
  void claim(ClaimRequest request, Done<ClaimAnswer> done) override;
  void unclaim(std::vector<Delivery> deliveries) override;
  void heartbeat(Heartbeat heartbeat, Done<HeartbeatAnswer> done) override;
  void report(Report report, Done<ReportAnswer> done) override;
  [[nodiscard]] Status check_worker(const WorkerAuth& auth) const override;
  void check_attempt(WorkerAuth auth, AttemptRef attempt, Done<ports::OpenAttempt> done) override;
  void put_artifact(WorkerAuth auth, AttemptRef attempt, std::string name, std::int64_t size, Sha256 sha256,
                    Done<Ok> done) override;
  void lose_worker(WorkerId worker, core::Outcome outcome, std::string reason, bool with_many,
                   Done<Ok> done) override;
  void view(QueuesWanted queues, Done<EngineView> done) override;
  [[nodiscard]] std::shared_ptr<const EngineView> shown() const override;
  [[nodiscard]] EnginePulse pulse() const override;
  void place(std::string queue, core::ReadyKey key, Done<JobPlace> done) override;

 private:
  void apply_any(ports::Change change, std::function<void(ports::Settled)> done) override;

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace drover::engine
