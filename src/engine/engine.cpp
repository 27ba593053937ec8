// The public face of the engine: each call becomes a Call in the inbox, which round.cpp serves on the
// engine's thread.
#include "drover/engine/engine.hpp"

#include <limits>
#include <thread>
#include <utility>

#include "drover/base/blocking_pool.hpp"
#include "drover/base/log.hpp"
#include "drover/base/thread_name.hpp"

#include "answers.hpp"
#include "changes/calls.hpp"
#include "changes/in_engine.hpp"
#include "claims.hpp"
#include "counter.hpp"
#include "inbox.hpp"
#include "leases.hpp"
#include "round.hpp"
#include "shown.hpp"
#include "view.hpp"
#include "writer.hpp"
#include "writer_thread.hpp"

namespace drover::engine {
namespace {

constexpr std::size_t kUnbounded = std::numeric_limits<std::size_t>::max();
constexpr Seconds kHangs{10};  // after so long without a round of the engine's thread no leader is shown

Error stopping() {
  return not_leading("the daemon is stopping");
}

}  // namespace

struct QueueEngine::Impl {
  Impl(ports::Store& the_store, const Clock& the_clock, ports::Metrics& metrics, EngineOptions the_options)
      : store(the_store),
        clock(the_clock),
        options(std::move(the_options)),
        inbox(options.queue_limit),
        counter(store, [this](News news) { inbox.tell(std::move(news)); }),
        writer(
            store, clock, metrics, options, [this](News news) { inbox.tell(std::move(news)); },
            [this] { return counter.begin(); }),
        writing(writer),
        loop(clock, options, metrics, writer.contact(),
             {[this](Order order) { writing.put(std::move(order)); },
              [this](std::string why) { writing.resign(std::move(why)); },
              [this](std::int64_t epoch) { counter.open(epoch); },
              [this](KeysWanted wanted) {
                static_cast<void>(keys.post([this, wanted = std::move(wanted)] {
                  inbox.tell(KeysRead{wanted, store.ready(wanted.question)});
                }));
              },
              [this] { static_cast<void>(admin.post([this] { make_partitions(); })); },
              [this](EngineView view) { shown.show(std::move(view)); }}) {}

  void run();
  void make_partitions();
  // `serve` runs on the engine's thread, and is given a callback that calls `done` on the answers' thread. If
  // the call is refused before, `done` is called on the thread that refuses it.
  template <class T, class Serve>
  void post(ports::Lane lane, Done<T> done, Serve serve, std::size_t bytes = 0) {
    Call call;
    call.lane = lane;
    call.bytes += bytes;
    call.refuse = [done](const Error& error) { done(error); };
    call.run = [serve = std::move(serve), told = answers.later(lane, std::move(done))](
                   Parts& parts, Place place) { serve(parts, std::move(place), told); };
    inbox.post(std::move(call));
  }

  ports::Store& store;
  const Clock& clock;
  const EngineOptions options;
  Inbox inbox;
  Shown shown;
  Counter counter;
  BlockingPool keys{"keys", 1, kUnbounded};  // unbounded: a dropped question would leave its queue unread
  BlockingPool admin{"admin", 1, kUnbounded};
  Writer writer;
  WriterThread writing;
  Loop loop;
  Answers answers;
  std::thread thread;
};

void QueueEngine::Impl::run() {
  name_thread("engine");
  while (true) {
    const auto until = loop.collects() ? Inbox::Until::news : Inbox::Until::anything;
    Inbox::Mail mail = inbox.take(loop.due() - clock.steady(), until);
    const bool closed = mail.closed;
    loop.round(std::move(mail));
    shown.gets_on(clock.steady());
    answers.hand_over();
    if (closed && loop.idle()) break;
  }
  loop.end_polls();
  answers.hand_over();
  loop.part();
  writing.stop();
  counter.stop();
  loop.round(inbox.take(SteadyTime::duration::zero()));  // hears that the term is over
  loop.close(stopping());
  answers.hand_over();
  // Every caller has been answered by now, whatever these two still wait for.
  keys.stop();
  admin.stop();
  answers.stop();
}

void QueueEngine::Impl::make_partitions() {
  const Status made = store.make_partitions(clock.wall());
  if (!made.ok()) log_warn("tables for the coming days were not made: {}", made.error().message);
}

QueueEngine::QueueEngine(ports::Store& store, const Clock& clock, ports::Metrics& metrics,
                         EngineOptions options)
    : impl_(std::make_unique<Impl>(store, clock, metrics, std::move(options))) {}

QueueEngine::~QueueEngine() {
  stop();
}

void QueueEngine::start() {
  if (impl_->thread.joinable()) return;
  impl_->answers.start();
  impl_->counter.start();
  impl_->writing.start();
  impl_->thread = std::thread([this] { impl_->run(); });
}

void QueueEngine::stop() {
  impl_->inbox.close();
  if (impl_->thread.joinable()) impl_->thread.join();
}

void QueueEngine::on_demand(std::function<void()> hook) {
  impl_->loop.parts().feed.on_demand(std::move(hook));
}

Status QueueEngine::check_worker(const WorkerAuth& auth) const {
  return impl_->loop.parts().feed.tokens.check(auth);
}

void QueueEngine::submit(std::vector<core::JobSpec> specs, Done<std::vector<Submitted>> done) {
  std::size_t bytes = 0;
  for (const core::JobSpec& spec : specs) bytes += sizeof(spec) + spec.task.size();
  auto shared = std::make_shared<std::vector<core::JobSpec>>(std::move(specs));
  impl_->post(
      ports::InsertJobs::kLane, std::move(done),
      [shared](Parts& parts, Place&& place, const auto& told) {
        engine::submit(parts, std::move(place), std::move(*shared), told);
      },
      bytes);
}

void QueueEngine::register_worker(const Registration& registration, Done<Registered> done) {
  impl_->post(ports::RegisterWorker::kLane, std::move(done),
              [hashed = HashedRegistration(registration)](Parts& parts, Place&& place, const auto& told) {
                engine::register_worker(parts, std::move(place), hashed, told);
              });
}

void QueueEngine::claim(ClaimRequest request, Done<ClaimAnswer> done) {
  auto answer = with_tokens(request, std::move(done));  // before the request is moved from
  impl_->post(ports::Lane::workers, std::move(answer),
              [request = std::move(request)](Parts& parts, const Place&, const auto& told) {
                take_poll(parts, request, told);
              });
}

void QueueEngine::unclaim(std::vector<Delivery> deliveries) {
  // Without leadership there is nothing to do: the next term gives these leases a full term, and they expire.
  impl_->post<Ok>(
      ports::Lane::system, [](const Status&) {},
      [deliveries = std::move(deliveries)](Parts& parts, const Place&, const auto&) {
        give_back(parts, deliveries);
      });
}

void QueueEngine::heartbeat(Heartbeat heartbeat, Done<HeartbeatAnswer> done) {
  impl_->post(ports::Lane::workers, std::move(done),
              [heartbeat = std::move(heartbeat)](Parts& parts, const Place&, const auto& told) {
                hear_heartbeat(parts, heartbeat, told);
              });
}

void QueueEngine::report(Report report, Done<ReportAnswer> done) {
  impl_->post(ports::Lane::workers, std::move(done),
              [report = std::move(report)](Parts& parts, Place&& place, const auto& told) {
                engine::report(parts, std::move(place), report, told);
              });
}

void QueueEngine::check_attempt(WorkerAuth auth, AttemptRef attempt, Done<ports::OpenAttempt> done) {
  impl_->post(
      ports::Lane::workers, std::move(done),
      [auth = std::move(auth), attempt = std::move(attempt)](Parts& parts, const Place&, const auto& told) {
        engine::check_attempt(parts, auth, attempt, told);
      });
}

void QueueEngine::put_artifact(WorkerAuth auth, AttemptRef attempt, std::string name, std::int64_t size,
                               Sha256 sha256, Done<Ok> done) {
  ports::PutArtifact put;
  put.job = attempt.job;
  put.attempt = attempt.attempt;
  put.name = std::move(name);
  put.size = size;
  put.sha256 = sha256;
  impl_->post(ports::Lane::workers, std::move(done),
              [auth = std::move(auth), token = std::move(attempt.token), put = std::move(put)](
                  Parts& parts, Place&& place, const auto& told) {
                engine::put_artifact(parts, std::move(place), auth, put, token, told);
              });
}

void QueueEngine::act(ports::ActOnJob act, Done<ActAnswer> done) {
  apply<ports::ActOnJob>(
      std::move(act), [done = std::move(done)](const Result<ports::ActOnJob::Answer>& acted) {
        done(acted.ok() ? Result<ActAnswer>(ActAnswer{acted->changed, acted->after}) : acted.error());
      });
}

void QueueEngine::apply_any(ports::Change change, std::function<void(ports::Settled)> done) {
  std::visit(
      [&]<class C>(C specific) {
        Told<C> told = [done](Result<ports::AnswerOf<C>> result) {
          done(ports::settled<C>(std::move(result)));
        };
        impl_->post(C::kLane, std::move(told),
                    [specific = std::move(specific)](Parts& parts, Place place, const Told<C>& later) {
                      engine::apply(parts, std::move(place), specific, later);
                    });
      },
      std::move(change));
}

void QueueEngine::lose_worker(WorkerId worker, core::Outcome outcome, std::string reason, bool with_many,
                              Done<Ok> done) {
  impl_->post(
      ports::Lane::system, std::move(done),
      [worker, outcome, reason = std::move(reason), with_many](Parts& parts, const Place&, const auto& told) {
        engine::lose_worker(parts, worker, outcome, reason, with_many, told);
      });
}

void QueueEngine::view(QueuesWanted queues, Done<EngineView> done) {
  Call call;
  call.always = true;
  call.refuse = [done](const Error& error) {
    EngineView view;
    view.standby_reason = error.message;
    done(std::move(view));
  };
  call.run = [told = impl_->answers.later(call.lane, std::move(done)), queues = std::move(queues)](
                 Parts& parts, const Place&) { told(view_of(parts, queues)); };
  impl_->inbox.post(std::move(call));
}

std::shared_ptr<const EngineView> QueueEngine::shown() const {
  auto shown = impl_->shown.last();
  if (!shown->leading) return shown;
  const SteadyTime now = impl_->clock.steady();
  const bool trusted = now < impl_->writer.contact().last() + impl_->options.takeover;
  const bool hangs = now - impl_->shown.alive() > kHangs;
  if (trusted && !hangs) return shown;
  EngineView cut_off = *shown;
  cut_off.leading = cut_off.counting = false;
  cut_off.queues.clear();
  cut_off.other_queues = {};
  cut_off.workers.clear();
  cut_off.pools.clear();
  cut_off.standby_reason = trusted ? "the thread that decides does not get on" : kUntrusted;
  return std::make_shared<const EngineView>(std::move(cut_off));
}

EnginePulse QueueEngine::pulse() const {
  return {impl_->shown.alive(), impl_->writer.contact().alive()};
}

void QueueEngine::place(std::string queue, core::ReadyKey key, Done<JobPlace> done) {
  impl_->post(ports::Lane::operators, std::move(done),
              [queue = std::move(queue), key](Parts& parts, const Place&, const auto& told) {
                told(place_of(parts, queue, key));
              });
}

}  // namespace drover::engine
