#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "drover/core/job/suspects.hpp"
#include "drover/engine/engine.hpp"

#include "changes/in_engine.hpp"
#include "committer.hpp"
#include "memory.hpp"
#include "worker_tokens.hpp"

namespace drover::engine {

// A call of the public interface, on its way to the engine's thread.
struct Request {
  std::function<void()> run;               // while leading
  std::function<void(const Error&)> fail;  // while not
  std::size_t bytes = 0;                   // memory that it holds, roughly
  bool always = false;                     // run() serves a standby too, and does not count for the limits
};

// A worker that waits for jobs: one per worker.
struct Waiter {
  ClaimRequest request;
  SteadyTime deadline;
  Done<ClaimAnswer> done;
};

// Claims made for one waiter in one batch; answered together.
struct ClaimGroup {
  Waiter waiter;
  int outstanding = 0;
  ClaimAnswer answer;
};

// How an attempt broke that its worker did not bring to its own end.
struct Break {
  bool shared = false;             // with others of its worker
  bool with_many = false;          // with more of the fleet than is credible
  SteadyTime::duration silent{0};  // that nothing was heard of it before
  bool undelivered = false;        // the answer that handed it out could not be written
};

[[nodiscard]] Error stale_attempt(const AttemptRef& ref);

// What answers a call that is not served.
template <class T>
std::function<void(const Error&)> refuse_by(const Done<T>& done) {
  return [done](const Error& error) { done(error); };
}

struct Engine::Impl {
  Impl(ports::Store& store, const Clock& clock, ports::Metrics& metrics, EngineOptions options);

  // engine.cpp: the thread, the inbox, terms of leadership
  void post(Request request);
  void post(std::function<void()> run, std::function<void(const Error&)> fail, std::size_t bytes = 256) {
    post(Request{std::move(run), std::move(fail), bytes});
  }
  void run();
  void take_lead();
  [[nodiscard]] SteadyTime trusted_until() const { return last_contact_ + options_.takeover; }
  bool confirm_lead();  // false: the session is lost
  void lose_lead(const Error& why);
  bool lead_once();
  [[nodiscard]] SteadyTime next_deadline() const;
  void forgive(SteadyTime::duration waited);
  bool timers();      // false: the session is lost
  bool serve_once();  // likewise
  void remember(const ports::Change& change, const ports::Settled& settled);

  // What each call does on the engine's thread: requests.cpp, and changes/ where it leads to a change
  [[nodiscard]] Status check_auth(const WorkerAuth& auth);
  [[nodiscard]] Result<std::vector<JobNumber>> take_numbers(std::size_t count);
  void do_submit(std::vector<core::JobSpec> specs, const Done<std::vector<Submitted>>& done);
  void do_register(const Registration& registration, const Done<Registered>& done);
  void do_heartbeat(const Heartbeat& heartbeat, const Done<HeartbeatAnswer>& done);
  void take_notice(const Worker& worker, const std::string& notice);
  [[nodiscard]] core::Outcome outcome_of_broken(WorkerId id);
  void do_report(const Report& report, const Done<ReportAnswer>& done);
  void do_check_attempt(const WorkerAuth& auth, const AttemptRef& attempt,
                        const Done<ports::OpenAttempt>& done);
  void do_put_artifact(const WorkerAuth& auth, const AttemptRef& attempt, const std::string& name,
                       std::int64_t size, const Sha256& hash, const Done<Ok>& done);
  template <class C>
  void do_apply(C change, Told<C> told) {
    ports::Keys keys = change.keys();
    auto make = [this, change = std::move(change)]() -> Result<std::optional<C>> {
      if (const Status may = engine::admit(memory_, change); !may) return may.error();
      return std::optional(change);
    };
    committer_.add(work_of<C>(std::move(keys), std::move(make), std::move(told)));
  }
  void do_lose_worker(WorkerId id, core::Outcome outcome, const std::string& reason, bool with_many,
                      const Done<Ok>& done);
  [[nodiscard]] EngineView make_view() const;

  // claims.cpp: waiters, matching, leases
  void do_claim(ClaimRequest request, Done<ClaimAnswer> done);
  void do_unclaim(const std::vector<Delivery>& deliveries);
  [[nodiscard]] ClaimedJob claimed_job(const ports::OpenAttempt& attempt, std::int64_t delivery,
                                       const ClaimRequest& request) const;
  bool match();  // false: the session is lost
  void stage_claims(Waiter waiter, int room, bool suspect);
  Result<std::optional<ports::ClaimJob>> make_claim(const ports::ClaimJob& claim, const ports::ReadyJob& job);
  void take_claim(ClaimGroup& group, WorkerId id, const std::string& queue,
                  const Result<ports::ClaimJob::Answer>& claimed);
  void answer_group(const std::shared_ptr<ClaimGroup>& group);
  bool refill(const std::vector<std::string>& queues);
  bool refill(core::ReadyIndex& index, const std::vector<std::string>& queues);
  void end_waiter(WorkerId worker, ClaimAnswer answer);
  void expire_waiters();
  void expire_leases();
  // Ends an open attempt on our own account.
  void stage_end(JobNumber job, int attempt, core::Outcome outcome, const std::string& reason,
                 const Break& broken, std::function<void(const Status&)> done);
  [[nodiscard]] ports::EndAttempt make_end(const Lease& lease, core::Outcome outcome, std::string reason,
                                           const Break& broken) const;
  void announce_demand();

  // suspects.cpp: what a worker may be given, and who broke together
  [[nodiscard]] core::Offer offer_to(const Worker& worker);
  [[nodiscard]] bool is_kept_free(const Worker& worker, const std::string& queue, core::ReadyKey suspect);
  [[nodiscard]] Break break_of(const Lease& lease) const;
  void tell_neighbours(const Lease& broken);
  [[nodiscard]] bool many_are_silent() const;

  ports::Store& store_;
  const Clock& clock_;
  ports::Metrics& metrics_;
  EngineOptions options_;

  std::mutex mutex_;  // guards inbox_, inbox_bytes_, stopping_, hook_
  std::condition_variable changed_;
  std::deque<Request> inbox_;
  std::size_t inbox_bytes_ = 0;
  bool stopping_ = false;
  std::function<void()> hook_;
  std::thread thread_;
  WorkerTokens tokens_;

  // The engine's thread alone from here on.
  std::unique_ptr<ports::WriteSession> session_;
  Memory memory_;
  Committer committer_;
  std::map<WorkerId, Waiter> waiters_;
  std::int64_t next_number_ = 0;  // of the reserved block
  std::int64_t numbers_left_ = 0;
  std::string standby_reason_ = "starting";
  bool store_reachable_ = false;
  bool hook_due_ = false;
  bool again_ = false;  // look for work once more before sleeping
  SteadyTime next_lead_try_{};
  SteadyTime doubt_until_{};
  SteadyTime led_since_{};
  SteadyTime last_contact_{};  // when the store was last asked something that it answered, as leader
  SteadyTime next_flush_{};
  SteadyTime next_partitions_{};
  SteadyTime next_rescan_{};
  SteadyTime next_sweep_{};
  std::string rescanned_;  // queue of the last rescan
  // By queue, the suspect that every worker which asked would have had to take next, and since when.
  std::map<std::string, std::pair<core::ReadyKey, SteadyTime>> waiting_suspects_;
};

}  // namespace drover::engine
