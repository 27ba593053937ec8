// The calls of the public interface that lead to no change of their own, each posted to the engine's thread,
// where a do_… serves it. The others are in changes/, claims and give-backs in claims.cpp.
#include <algorithm>
#include <utility>

#include "drover/base/log.hpp"
#include "drover/core/worker/machine_end.hpp"

#include "engine_impl.hpp"

namespace drover::engine {
namespace {

Status check_token(const Worker& worker, const Secret& token) {
  if (worker.row.registered && is_token(worker.row.token_hash, token)) return Ok{};
  return Error{Errc::unauthenticated, "unknown worker or token"};
}

}  // namespace

Error stale_attempt(const AttemptRef& ref) {
  return Error{Errc::stale, "attempt " + std::to_string(ref.attempt) + " of job " +
                                std::to_string(ref.job.value) + " is not open, or the token is another's"};
}

Status Engine::Impl::check_auth(const WorkerAuth& auth) {
  Worker* worker = memory_.worker(auth.worker);
  if (worker == nullptr) return Error{Errc::unauthenticated, "unknown worker or token"};
  Status checked = check_token(*worker, auth.token);
  if (checked) {
    worker->heard = clock_.steady();
    worker->unflushed_seen = clock_.wall();
  }
  return checked;
}

void Engine::claim(ClaimRequest request, Done<ClaimAnswer> done) {
  auto refuse = refuse_by(done);
  impl_->post(
      [this, request = std::move(request), done = std::move(done)] { impl_->do_claim(request, done); },
      std::move(refuse));
}

void Engine::unclaim(std::vector<Delivery> deliveries) {
  // Without leadership there is nothing to do: the next term gives these leases a full term, and they expire.
  impl_->post([this, deliveries = std::move(deliveries)] { impl_->do_unclaim(deliveries); },
              [](const Error&) {});
}

void Engine::heartbeat(Heartbeat heartbeat, Done<HeartbeatAnswer> done) {
  auto refuse = refuse_by(done);
  impl_->post([this, heartbeat = std::move(heartbeat),
               done = std::move(done)] { impl_->do_heartbeat(heartbeat, done); },
              std::move(refuse));
}

void Engine::Impl::do_heartbeat(const Heartbeat& heartbeat, const Done<HeartbeatAnswer>& done) {
  if (const Status known = check_auth(heartbeat.auth); !known) {
    done(known.error());
    return;
  }
  const SteadyTime now = clock_.steady();
  Worker& worker = *memory_.worker(heartbeat.auth.worker);
  HeartbeatAnswer answer;
  answer.interval_s = memory_.tunables.heartbeat_interval_s;
  std::set<JobNumber> listed;
  for (const AttemptRef& ref : heartbeat.attempts) {
    Lease* lease = memory_.fenced_lease(ref.job, ref.attempt, sha256(ref.token.reveal()));
    if (lease == nullptr || lease->attempt.worker != worker.row.id) {
      answer.stop.push_back(AttemptRef{ref.job, ref.attempt, {}});
      continue;
    }
    listed.insert(ref.job);
    lease->term = core::listed(lease->term, now, memory_.tunables);
    if (lease->attempt.wanted != core::JobState::running)
      answer.stop.push_back(AttemptRef{ref.job, ref.attempt, {}});
  }
  for (const JobNumber job : worker.jobs) {
    Lease* lease = memory_.lease(job);
    if (!listed.contains(job)) lease->term = core::left_out(lease->term, now, memory_.tunables);
  }
  if (heartbeat.notice) take_notice(worker, *heartbeat.notice);
  answer.drain = heartbeat.notice || worker.row.state != core::WorkerState::active;
  done(std::move(answer));
}

void Engine::Impl::take_notice(const Worker& worker, const std::string& notice) {
  if (worker.row.notice_until) return;
  log_info("worker {} has an interruption notice: {}", worker.row.instance_id, notice);
  const WallTime now = clock_.wall();
  do_apply(ports::MoveWorker{worker.row.id, core::WorkerMove::notice, "interruption notice: " + notice, now,
                             core::notice_end(notice, now)},
           Told<ports::MoveWorker>([](const auto&) {}));
}

// Nothing is known of a worker that is not in memory: it is gone, and its attempts ended with it.
core::Outcome Engine::Impl::outcome_of_broken(WorkerId id) {
  const Worker* worker = memory_.worker(id);
  if (worker == nullptr) return core::Outcome::infra;
  return core::outcome_of_broken_worker(worker->row.state, worker->row.notice_until.has_value());
}

Status Engine::check_worker(const WorkerAuth& auth) const {
  return impl_->tokens_.check(auth);
}

void Engine::check_attempt(WorkerAuth auth, AttemptRef attempt, Done<ports::OpenAttempt> done) {
  auto refuse = refuse_by(done);
  impl_->post([this, auth = std::move(auth), attempt = std::move(attempt),
               done = std::move(done)] { impl_->do_check_attempt(auth, attempt, done); },
              std::move(refuse));
}

void Engine::Impl::do_check_attempt(const WorkerAuth& auth, const AttemptRef& attempt,
                                    const Done<ports::OpenAttempt>& done) {
  const Worker* worker = memory_.worker(auth.worker);
  if (worker != nullptr) {
    if (const Status known = check_auth(auth); !known) {
      done(known.error());
      return;
    }
  }
  Lease* lease = memory_.fenced_lease(attempt.job, attempt.attempt, sha256(attempt.token.reveal()));
  if (lease == nullptr || lease->attempt.worker != auth.worker) {
    done(stale_attempt(attempt));
    return;
  }
  lease->term.heard_of = true;
  done(lease->attempt);
}

void Engine::apply_any(ports::Change change, std::function<void(ports::Settled)> done) {
  std::visit(
      [&]<class C>(C specific) {
        Told<C> told = [done](Result<ports::AnswerOf<C>> result) {
          done(ports::settled<C>(std::move(result)));
        };
        auto refuse = [told](const Error& error) { told(error); };
        impl_->post([this, specific = std::move(specific), told] { impl_->do_apply(specific, told); },
                    std::move(refuse));
      },
      std::move(change));
}

void Engine::lose_worker(WorkerId worker, core::Outcome outcome, std::string reason, bool with_many,
                         Done<Ok> done) {
  auto refuse = refuse_by(done);
  impl_->post([this, worker, outcome, reason = std::move(reason), with_many,
               done = std::move(done)] { impl_->do_lose_worker(worker, outcome, reason, with_many, done); },
              std::move(refuse));
}

void Engine::Impl::do_lose_worker(WorkerId id, core::Outcome outcome, const std::string& reason,
                                  bool with_many, const Done<Ok>& done) {
  const Worker* worker = memory_.worker(id);
  if (worker == nullptr) {
    done(Ok{});
    return;
  }
  // The notice may have come after the look at the fleet by which the loss was judged.
  if (worker->row.notice_until) outcome = core::Outcome::interruption;
  struct Pending {
    std::size_t ends = 0;
    std::optional<Error> failed;
  };
  auto pending = std::make_shared<Pending>();
  auto finish = [this, id, reason, done, pending] {
    if (pending->failed) {
      done(*pending->failed);
      return;
    }
    do_apply(ports::MoveWorker{id, core::WorkerMove::gone, reason, clock_.wall()},
             Told<ports::MoveWorker>([done](const Result<ports::MoveWorker::Answer>& moved) {
               done(moved ? Result<Ok>(Ok{}) : Result<Ok>(moved.error()));
             }));
  };
  const std::vector<JobNumber> jobs(worker->jobs.begin(), worker->jobs.end());
  pending->ends = jobs.size();
  if (jobs.empty()) finish();
  for (const JobNumber job : jobs) {
    const Lease& lease = *memory_.lease(job);
    Break broken = break_of(lease);
    broken.with_many = with_many;
    stage_end(job, lease.attempt.attempt, outcome, reason, broken, [pending, finish](const Status& ended) {
      if (!ended) pending->failed = ended.error();
      if (--pending->ends == 0) finish();
    });
  }
}

void Engine::view(Done<EngineView> done) {
  auto stopped = [done](const Error& error) {
    EngineView view;
    view.standby_reason = error.message;
    done(std::move(view));
  };
  Request request{[this, done = std::move(done)] { done(impl_->make_view()); }, std::move(stopped)};
  request.always = true;
  impl_->post(std::move(request));
}

EngineView Engine::Impl::make_view() const {
  EngineView view;
  const SteadyTime now = clock_.steady();
  view.leading = session_ != nullptr;
  view.trusted_until = trusted_until();
  view.standby_reason = standby_reason_;
  view.store_reachable = store_reachable_;
  view.paused = memory_.paused;
  view.deployment = memory_.deployment;
  view.deployment_secret = memory_.deployment_secret;
  view.epoch = memory_.epoch;
  view.tunables = memory_.tunables;
  view.jobs_submitted = memory_.jobs_submitted;
  view.attempts_ended = memory_.attempts_ended;
  for (const auto& [name, queue] : memory_.queues) {
    view.queues[name] =
        QueueView{queue.ready, queue.leased, static_cast<std::int64_t>(memory_.suspects.size(name))};
  }
  for (const auto& [id, pool] : memory_.pools) view.pools.push_back(pool);
  const auto since = [now](SteadyTime then) { return std::chrono::duration_cast<Millis>(now - then); };
  for (const auto& [id, worker] : memory_.workers) {
    WorkerView one{id,
                   worker.row.instance_id,
                   worker.row.pool_name,
                   worker.row.state,
                   worker.row.slots,
                   static_cast<int>(worker.jobs.size()),
                   worker.row.registered.has_value(),
                   {},
                   {},
                   memory_.runs_alone(worker, now),
                   {}};
    if (worker.heard) one.silent_for = since(*worker.heard);
    if (worker.asked) one.asked_ago = waiters_.contains(id) ? Millis{0} : since(*worker.asked);
    if (one.registered && worker.jobs.empty()) one.idle_for = since(worker.idle_since);
    view.workers.push_back(std::move(one));
  }
  return view;
}

void Engine::place(std::string queue, core::ReadyKey key, Done<JobPlace> done) {
  auto refuse = refuse_by(done);
  impl_->post(
      [this, queue = std::move(queue), key, done = std::move(done)] {
        const auto ahead = impl_->memory_.ready.ahead_of(queue, key);
        done(JobPlace{ahead.has_value(),
                      ahead.value_or(static_cast<std::int64_t>(impl_->memory_.ready.size(queue)))});
      },
      std::move(refuse));
}

}  // namespace drover::engine
