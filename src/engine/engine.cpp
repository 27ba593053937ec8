// The public face of the engine: each call becomes a Call in the inbox, which round.cpp serves on the
// engine's thread.
#include "drover/engine/engine.hpp"

#include <thread>
#include <utility>

#include "drover/base/thread_name.hpp"

#include "changes/calls.hpp"
#include "changes/in_engine.hpp"
#include "claims.hpp"
#include "inbox.hpp"
#include "leases.hpp"
#include "round.hpp"
#include "view.hpp"
#include "writer.hpp"
#include "writer_thread.hpp"

namespace drover::engine {
namespace {

Error stopping() {
  return not_leading("the daemon is stopping");
}

// What answers a call that is not served.
template <class T>
std::function<void(const Error&)> refuse_by(const Done<T>& done) {
  return [done](const Error& error) { done(error); };
}

}  // namespace

struct Engine::Impl {
  Impl(ports::Store& store, const Clock& the_clock, ports::Metrics& metrics, EngineOptions the_options)
      : clock(the_clock),
        options(std::move(the_options)),
        inbox(options.queue_limit),
        writer(store, clock, metrics, options, [this](News news) { inbox.tell(std::move(news)); }),
        writing(writer),
        loop(clock, options, metrics, writer.contact(),
             {[this](Order order) { writing.put(std::move(order)); },
              [this](std::string why) { writing.resign(std::move(why)); }}) {}

  void run();

  const Clock& clock;
  const EngineOptions options;
  Inbox inbox;
  Writer writer;
  WriterThread writing;
  Loop loop;
  std::thread thread;
};

void Engine::Impl::run() {
  name_thread("engine");
  while (true) {
    const auto until = loop.collects() ? Inbox::Until::news : Inbox::Until::anything;
    Inbox::Mail mail = inbox.take(loop.due() - clock.steady(), until);
    const bool closed = mail.closed;
    loop.round(std::move(mail));
    if (closed && loop.idle()) break;
  }
  loop.end_polls();
  writing.stop();
  loop.round(inbox.take(SteadyTime::duration::zero()));
  loop.close(stopping());
}

Engine::Engine(ports::Store& store, const Clock& clock, ports::Metrics& metrics, EngineOptions options)
    : impl_(std::make_unique<Impl>(store, clock, metrics, std::move(options))) {}

Engine::~Engine() {
  stop();
}

void Engine::start() {
  if (impl_->thread.joinable()) return;
  impl_->writing.start();
  impl_->thread = std::thread([this] { impl_->run(); });
}

void Engine::stop() {
  impl_->inbox.close();
  if (impl_->thread.joinable()) impl_->thread.join();
}

void Engine::on_demand(std::function<void()> hook) {
  impl_->loop.parts().feed.on_demand(std::move(hook));
}

Status Engine::check_worker(const WorkerAuth& auth) const {
  return impl_->loop.parts().feed.tokens.check(auth);
}

void Engine::submit(std::vector<core::JobSpec> specs, Done<std::vector<Submitted>> done) {
  Call call;
  call.lane = ports::InsertJobs::kLane;
  for (const core::JobSpec& spec : specs) call.bytes += sizeof(spec) + spec.task.size();
  call.refuse = refuse_by(done);
  auto shared = std::make_shared<std::vector<core::JobSpec>>(std::move(specs));
  call.run = [shared, done = std::move(done)](Parts& parts, Place place) {
    engine::submit(parts, std::move(place), std::move(*shared), done);
  };
  impl_->inbox.post(std::move(call));
}

void Engine::register_worker(Registration registration, Done<Registered> done) {
  Call call;
  call.lane = ports::RegisterWorker::kLane;
  call.refuse = refuse_by(done);
  call.run = [registration = std::move(registration), done = std::move(done)](Parts& parts, Place place) {
    engine::register_worker(parts, std::move(place), registration, done);
  };
  impl_->inbox.post(std::move(call));
}

void Engine::claim(ClaimRequest request, Done<ClaimAnswer> done) {
  Call call;
  call.lane = ports::Lane::workers;
  call.refuse = refuse_by(done);
  call.run = [request = std::move(request), done = std::move(done)](Parts& parts, const Place&) {
    take_poll(parts, request, done);
  };
  impl_->inbox.post(std::move(call));
}

void Engine::unclaim(std::vector<Delivery> deliveries) {
  Call call;
  call.lane = ports::Lane::system;
  // Without leadership there is nothing to do: the next term gives these leases a full term, and they expire.
  call.refuse = [](const Error&) {};
  call.run = [deliveries = std::move(deliveries)](Parts& parts, const Place&) {
    give_back(parts, deliveries);
  };
  impl_->inbox.post(std::move(call));
}

void Engine::heartbeat(Heartbeat heartbeat, Done<HeartbeatAnswer> done) {
  Call call;
  call.lane = ports::Lane::workers;
  call.refuse = refuse_by(done);
  call.run = [heartbeat = std::move(heartbeat), done = std::move(done)](Parts& parts, const Place&) {
    hear_heartbeat(parts, heartbeat, done);
  };
  impl_->inbox.post(std::move(call));
}

void Engine::report(Report report, Done<ReportAnswer> done) {
  Call call;
  call.lane = ports::Lane::workers;
  call.refuse = refuse_by(done);
  call.run = [report = std::move(report), done = std::move(done)](Parts& parts, Place place) {
    engine::report(parts, std::move(place), report, done);
  };
  impl_->inbox.post(std::move(call));
}

void Engine::check_attempt(WorkerAuth auth, AttemptRef attempt, Done<ports::OpenAttempt> done) {
  Call call;
  call.lane = ports::Lane::workers;
  call.refuse = refuse_by(done);
  call.run = [auth = std::move(auth), attempt = std::move(attempt), done = std::move(done)](
                 Parts& parts, const Place&) { engine::check_attempt(parts, auth, attempt, done); };
  impl_->inbox.post(std::move(call));
}

void Engine::put_artifact(WorkerAuth auth, AttemptRef attempt, std::string name, std::int64_t size,
                          Sha256 sha256, Done<Ok> done) {
  ports::PutArtifact put;
  put.job = attempt.job;
  put.attempt = attempt.attempt;
  put.name = std::move(name);
  put.size = size;
  put.sha256 = sha256;
  Call call;
  call.lane = ports::Lane::workers;
  call.refuse = refuse_by(done);
  call.run = [auth = std::move(auth), token = std::move(attempt.token), put = std::move(put),
              done = std::move(done)](Parts& parts, Place place) {
    engine::put_artifact(parts, std::move(place), auth, put, token, done);
  };
  impl_->inbox.post(std::move(call));
}

void Engine::act(ports::ActOnJob act, Done<ActAnswer> done) {
  impl_->inbox.post(call_for<ports::ActOnJob>(
      std::move(act), [done = std::move(done)](const Result<ports::ActOnJob::Answer>& acted) {
        done(acted ? Result<ActAnswer>(ActAnswer{acted->changed, acted->after}) : acted.error());
      }));
}

void Engine::apply_any(ports::Change change, std::function<void(ports::Settled)> done) {
  std::visit(
      [&]<class C>(C specific) {
        impl_->inbox.post(call_for<C>(std::move(specific), [done](Result<ports::AnswerOf<C>> result) {
          done(ports::settled<C>(std::move(result)));
        }));
      },
      std::move(change));
}

void Engine::lose_worker(WorkerId worker, core::Outcome outcome, std::string reason, bool with_many,
                         Done<Ok> done) {
  Call call;
  call.lane = ports::Lane::system;
  call.refuse = refuse_by(done);
  call.run = [worker, outcome, reason = std::move(reason), with_many, done = std::move(done)](Parts& parts,
                                                                                              const Place&) {
    engine::lose_worker(parts, worker, outcome, reason, with_many, done);
  };
  impl_->inbox.post(std::move(call));
}

void Engine::view(Done<EngineView> done) {
  Call call;
  call.lane = ports::Lane::system;
  call.always = true;
  call.refuse = [done](const Error& error) {
    EngineView view;
    view.standby_reason = error.message;
    done(std::move(view));
  };
  call.run = [done = std::move(done)](Parts& parts, const Place&) { done(view_of(parts)); };
  impl_->inbox.post(std::move(call));
}

void Engine::place(std::string queue, core::ReadyKey key, Done<JobPlace> done) {
  Call call;
  call.lane = ports::Lane::operators;
  call.refuse = refuse_by(done);
  call.run = [queue = std::move(queue), key, done = std::move(done)](Parts& parts, const Place&) {
    done(place_of(parts, queue, key));
  };
  impl_->inbox.post(std::move(call));
}

}  // namespace drover::engine
