// The calls of the public interface, but claims: each posts to the engine's thread, where a do_… serves it.
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

Error stale_attempt(const AttemptRef& ref) {
  return Error{Errc::stale, "attempt " + std::to_string(ref.attempt) + " of job " +
                                std::to_string(ref.job.value) + " is not open, or the token is another's"};
}

// What answers a call that is not served.
template <class T>
std::function<void(const Error&)> refuse_by(const Done<T>& done) {
  return [done](const Error& error) { done(error); };
}

// A work whose command is known from the start.
Work plain_work(std::optional<JobNumber> job, ports::Command command,
                std::function<void(ports::Outcome)> done) {
  return Work{job, 1,
              [command = std::move(command)]() -> Result<std::optional<ports::Command>> {
                return std::optional<ports::Command>(command);
              },
              std::move(done)};
}

}  // namespace

void Engine::submit(std::vector<core::JobSpec> specs, Done<std::vector<Submitted>> done) {
  auto refuse = refuse_by(done);
  std::size_t bytes = 0;
  for (const core::JobSpec& spec : specs) bytes += sizeof(spec) + spec.task.size();
  auto shared = std::make_shared<std::vector<core::JobSpec>>(std::move(specs));
  impl_->post([this, shared, done = std::move(done)] { impl_->do_submit(std::move(*shared), done); },
              std::move(refuse), bytes);
}

Result<std::vector<JobNumber>> Engine::Impl::take_numbers(std::size_t count) {
  constexpr std::int64_t kBlock = 4096;
  const auto wanted = static_cast<std::int64_t>(count);
  if (numbers_left_ < wanted) {
    const auto block = std::max(kBlock, wanted);
    const auto first = session_->reserve_numbers(static_cast<int>(block));
    if (!first) {
      log_warn("no job numbers: {}", first.error().message);
      last_contact_ = {};  // the session may be lost: the store is asked before anything else is answered
      return Error{Errc::unavailable, "the store is out of reach; nothing was changed", {}, {}, 1};
    }
    next_number_ = first->value;
    numbers_left_ = block;
  }
  std::vector<JobNumber> numbers;
  numbers.reserve(count);
  for (std::size_t i = 0; i < count; ++i) numbers.push_back(JobNumber{next_number_++});
  numbers_left_ -= wanted;
  return numbers;
}

void Engine::Impl::do_submit(std::vector<core::JobSpec> specs, const Done<std::vector<Submitted>>& done) {
  auto shared = std::make_shared<std::vector<core::JobSpec>>(std::move(specs));
  auto answer = std::make_shared<std::vector<Submitted>>();
  const std::size_t rows = shared->size();
  std::size_t bytes = 0;
  for (const core::JobSpec& spec : *shared) bytes += spec.task.size();
  auto make = [this, shared, answer]() -> Result<std::optional<ports::Command>> {
    const auto numbers = take_numbers(shared->size());
    if (!numbers) return numbers.error();
    const WallTime created = clock_.wall();
    ports::InsertJobs insert;
    insert.jobs.reserve(shared->size());
    answer->clear();
    for (std::size_t i = 0; i < shared->size(); ++i) {
      const Uuid id = make_job_id((*numbers)[i], created, static_cast<std::uint32_t>(random_u64()));
      // The specs stay with the work: it is made again when its transaction was lost.
      insert.jobs.push_back(ports::NewJob{(*numbers)[i], id, (*shared)[i], created});
      answer->push_back(Submitted{
          (*numbers)[i], id, (*shared)[i].hold ? core::JobState::held : core::JobState::queued, created});
    }
    return std::optional<ports::Command>(std::move(insert));
  };
  committer_.add(Work{std::nullopt, rows, std::move(make),
                      [answer, done](const ports::Outcome& outcome) {
                        if (outcome) {
                          done(std::move(*answer));
                        } else {
                          done(outcome.error());
                        }
                      },
                      bytes});
}

void Engine::change(ports::ChangeJob command, Done<ChangeAnswer> done) {
  auto refuse = refuse_by(done);
  impl_->post(
      [this, command = std::move(command), done = std::move(done)] { impl_->do_change(command, done); },
      std::move(refuse));
}

void Engine::Impl::do_change(const ports::ChangeJob& command, const Done<ChangeAnswer>& done) {
  const JobNumber job = command.job;
  committer_.add(plain_work(job, command, [done](const ports::Outcome& outcome) {
    if (!outcome) {
      done(outcome.error());
      return;
    }
    const auto& changed = std::get<ports::Changed>(*outcome);
    done(ChangeAnswer{changed.changed, changed.after});
  }));
}

void Engine::register_worker(Registration registration, Done<Registered> done) {
  auto refuse = refuse_by(done);
  impl_->post([this, registration = std::move(registration),
               done = std::move(done)] { impl_->do_register(registration, done); },
              std::move(refuse));
}

void Engine::Impl::do_register(const Registration& registration, const Done<Registered>& done) {
  const Secret token =
      ports::worker_token(registration.bootstrap, registration.instance_id, registration.nonce);
  ports::RegisterWorker command;
  command.instance_id = registration.instance_id;
  command.bootstrap_hash = sha256(registration.bootstrap.reveal());
  command.token_hash = sha256(token.reveal());
  command.nonce = registration.nonce;
  command.slots = registration.slots;
  command.capacity = registration.capacity;
  command.hostname = registration.hostname;
  command.version = registration.version;
  command.now = clock_.wall();
  committer_.add(
      plain_work(std::nullopt, std::move(command), [this, token, done](const ports::Outcome& outcome) {
        if (!outcome) {
          done(outcome.error());
          return;
        }
        const ports::WorkerRow& row = std::get<ports::WorkerChanged>(*outcome).worker;
        done(Registered{row.id, token, row.pool_name, row.queues, row.slots,
                        memory_.tunables.heartbeat_interval_s, memory_.tunables.notice_poll_s});
      }));
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
  do_apply(ports::ChangeWorker{worker.row.id, core::WorkerMove::notice, "interruption notice: " + notice, now,
                               core::notice_end(notice, now)},
           [](const Result<ports::Applied>&) {});
}

// Nothing is known of a worker that is not in memory: it is gone, and its attempts ended with it.
core::Outcome Engine::Impl::outcome_of_broken(WorkerId id) {
  const Worker* worker = memory_.worker(id);
  if (worker == nullptr) return core::Outcome::infra;
  return core::outcome_of_broken_worker(worker->row.state, worker->row.notice_until.has_value());
}

void Engine::report(Report report, Done<ReportAnswer> done) {
  auto refuse = refuse_by(done);
  impl_->post([this, report = std::move(report), done = std::move(done)] { impl_->do_report(report, done); },
              std::move(refuse));
}

void Engine::Impl::do_report(const Report& report, const Done<ReportAnswer>& done) {
  // A worker that is gone from memory is not asked for its token: the attempt's own token decides, and the
  // store knows whether this report was accepted before.
  const Worker* worker = memory_.worker(report.auth.worker);
  if (worker != nullptr) {
    if (const Status known = check_auth(report.auth); !known) {
      done(known.error());
      return;
    }
    if (report.notice) take_notice(*worker, *report.notice);
  }
  const Sha256 hash = sha256(report.attempt.token.reveal());
  std::string reason = report.reason;
  if (reason.empty() && report.outcome == core::Outcome::failure) {
    reason = core::failure_reason(report.exit_code, report.signal);
  }
  auto make = [this, report, hash, reason]() -> Result<std::optional<ports::Command>> {
    const Lease* lease = memory_.fenced_lease(report.attempt.job, report.attempt.attempt, hash);
    if (lease != nullptr && lease->attempt.worker != report.auth.worker) return stale_attempt(report.attempt);
    const core::Outcome outcome = report.outcome  ? *report.outcome
                                  : report.notice ? core::Outcome::interruption
                                                  : outcome_of_broken(report.auth.worker);
    ports::EndAttempt end;
    if (lease != nullptr) {
      end = make_end(*lease, outcome, reason, break_of(*lease));
      if (outcome == core::Outcome::infra) tell_neighbours(*lease);
    } else {
      end.job = report.attempt.job;
      end.attempt = report.attempt.attempt;
      end.outcome = outcome;
      end.now = clock_.wall();
    }
    end.released = !report.outcome;
    end.token_hash = hash;
    end.exit_code = report.exit_code;
    end.signal = report.signal;
    return std::optional<ports::Command>(std::move(end));
  };
  committer_.add(Work{report.attempt.job, 1, std::move(make), [done](const ports::Outcome& outcome) {
                        if (!outcome) {
                          done(outcome.error());
                          return;
                        }
                        const auto& ended = std::get<ports::Ended>(*outcome);
                        done(ReportAnswer{ended.repeated, ended.state});
                      }});
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

void Engine::put_artifact(WorkerAuth auth, AttemptRef attempt, std::string name, std::int64_t size,
                          Sha256 sha256, Done<Ok> done) {
  auto refuse = refuse_by(done);
  impl_->post(
      [this, auth = std::move(auth), attempt = std::move(attempt), name = std::move(name), size, sha256,
       done = std::move(done)] { impl_->do_put_artifact(auth, attempt, name, size, sha256, done); },
      std::move(refuse));
}

void Engine::Impl::do_put_artifact(const WorkerAuth& auth, const AttemptRef& attempt, const std::string& name,
                                   std::int64_t size, const Sha256& hash, const Done<Ok>& done) {
  do_check_attempt(auth, attempt, [=, this](const Result<ports::OpenAttempt>& open) {
    if (!open) {
      done(open.error());
      return;
    }
    ports::PutArtifact put{attempt.job, attempt.attempt, sha256(attempt.token.reveal()), name, size,
                           hash,        clock_.wall()};
    committer_.add(plain_work(attempt.job, std::move(put), [done](const ports::Outcome& outcome) {
      if (outcome) {
        done(Ok{});
      } else {
        done(outcome.error());
      }
    }));
  });
}

void Engine::apply(ports::Command command, Done<ports::Applied> done) {
  auto refuse = refuse_by(done);
  impl_->post(
      [this, command = std::move(command), done = std::move(done)] { impl_->do_apply(command, done); },
      std::move(refuse));
}

void Engine::Impl::do_apply(ports::Command command, Done<ports::Applied> done) {
  Work work = plain_work(std::nullopt, std::move(command), std::move(done));
  // What is right by itself may not be so with what memory says when its turn comes.
  work.make = [this, make = std::move(work.make)]() {
    auto made = make();
    if (!made || !*made) return made;
    // Planned before a pause, it may come after it.
    if (memory_.paused && std::holds_alternative<ports::InsertLaunch>(**made)) {
      return decltype(made)(Error{Errc::conflict, "the scheduler is paused"});
    }
    if (const auto* put = std::get_if<ports::PutSettings>(&**made)) {
      const auto changed = core::changed_tunables(memory_.tunables, put->values);
      if (!changed) return decltype(made)(changed.error());
    }
    return made;
  };
  committer_.add(std::move(work));
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
    do_apply(ports::ChangeWorker{id, core::WorkerMove::gone, reason, clock_.wall()},
             [done](const Result<ports::Applied>& changed) {
               if (changed) {
                 done(Ok{});
               } else {
                 done(changed.error());
               }
             });
  };
  const std::vector<JobNumber> jobs(worker->jobs.begin(), worker->jobs.end());
  pending->ends = jobs.size();
  if (jobs.empty()) finish();
  for (const JobNumber job : jobs) {
    const Lease& lease = *memory_.lease(job);
    Break broken = break_of(lease);
    broken.with_many = with_many;
    stage_end(job, lease.attempt.attempt, outcome, reason, broken,
              [pending, finish](const ports::Outcome& ended) {
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
