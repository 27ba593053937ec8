#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "drover/memstore/mem_store.hpp"
#include "drover/ports/tokens.hpp"

#include "changes/calls.hpp"
#include "claims.hpp"
#include "inbox.hpp"
#include "job_spec.hpp"
#include "leases.hpp"
#include "manual_clock.hpp"
#include "no_metrics.hpp"
#include "round.hpp"
#include "view.hpp"
#include "writer.hpp"

namespace drover::engine::testing {

// What a call was answered; empty until it is.
template <class T>
using Answer = std::shared_ptr<std::optional<Result<T>>>;

using drover::testing::job_spec;

// The engine over the store in memory, in one thread and by a clock that stands still: the test says when the
// writer carries out what it was given, and when the engine's next round is.
class OneThread {
 public:
  explicit OneThread(std::size_t calls = 1000)
      : inbox(calls),
        writer(
            store, clock, metrics, options, [this](News news) { inbox.tell(std::move(news)); },
            [this] { return begin_count(); }),
        loop(clock, options, metrics, writer.contact(),
             {[this](Order one) { order = std::move(one); },
              [this](std::string why) { resignation = std::move(why); },
              [this](std::int64_t epoch) { count_wanted = epoch; },
              [this](KeysWanted wanted) { keys_wanted.push_back(std::move(wanted)); },
              [this] { ++tables_wanted; }, [this](EngineView view) { shown = std::move(view); }}) {}

  void round() { loop.round(inbox.take(SteadyTime::duration::zero())); }
  // The writer's turn: with what it was given, or what is due without it.
  void write() {
    if (auto one = std::exchange(order, std::nullopt)) {
      writer.carry_out(std::move(*one));
    } else if (auto why = std::exchange(resignation, std::nullopt)) {
      writer.resign(*why);
    } else {
      writer.turn();
    }
  }
  // The counter's turn: to connect, or to tell what was counted.
  void count() {
    if (const auto epoch = std::exchange(count_wanted, std::nullopt)) {
      counting = *store.open_count();
      counting_of = *epoch;
      counts = false;
      inbox.tell(CountOpen{counting_of});
    } else if (std::exchange(counts, false)) {
      inbox.tell(Counted{counting_of, counting->result()});
    }
  }
  // The turn of the reader of keys: to ask the store for those that were asked for first, or to tell its
  // answer.
  void read_keys() {
    if (keys_answered) {
      inbox.tell(std::move(*std::exchange(keys_answered, std::nullopt)));
    } else if (!keys_wanted.empty()) {
      keys_answered = KeysRead{keys_wanted.front(), store.ready(keys_wanted.front().question)};
      keys_wanted.pop_front();
    }
  }
  [[nodiscard]] bool reads_keys() const { return keys_answered || !keys_wanted.empty(); }
  Status begin_count() {
    if (!counting || counts) return Error{Errc::unavailable, "no count is to begin"};
    counts = true;
    const Status begun = counting->begin();
    if (begun.ok() && quick_count) {
      inbox.tell(Counted{counting_of, counting->result()});
      counting.reset();
      counts = false;
    }
    return begun;
  }
  // Until nothing is left to do now.
  void settle() {
    for (int i = 0; i < 10'000; ++i) {
      round();
      const bool rests =
          !order && !resignation && !reads_keys() && !(counter_runs && (count_wanted || counts));
      if (rests && writer.due() > clock.steady() && loop.due() > clock.steady()) return;
      if (order || resignation || writer.due() <= clock.steady()) write();
      read_keys();
      if (counter_runs) count();
    }
    FAIL() << "the engine does not come to rest";
  }
  void lead() {
    settle();
    ASSERT_TRUE(parts().term.leading()) << parts().term.standby_reason();
  }
  // In steps too short to be taken for a standstill of the process.
  void pass(Micros time) {
    constexpr Micros kStep = Millis{400};
    for (Micros left = time; left > Micros{0}; left -= kStep) {
      clock.pass(std::min(left, kStep));
      settle();
    }
  }

  [[nodiscard]] Parts& parts() { return loop.parts(); }
  [[nodiscard]] State& state() { return loop.parts().state; }
  [[nodiscard]] ports::JobRow job(JobNumber number) { return **store.job(number); }

  template <class T>
  static Done<T> into(const Answer<T>& answer) {
    return [answer](Result<T> result) {
      EXPECT_FALSE(*answer) << "answered twice";
      *answer = std::move(result);
    };
  }
  // Served with the next round.
  template <class T>
  Answer<T> ask(ports::Lane lane, std::function<void(Parts&, Place, Done<T>)> run) {
    auto answer = std::make_shared<std::optional<Result<T>>>();
    Call call;
    call.lane = lane;
    call.refuse = [answer](const Error& error) { into<T>(answer)(error); };
    call.run = [answer, run = std::move(run)](Parts& to, Place place) {
      run(to, std::move(place), into<T>(answer));
    };
    inbox.post(std::move(call));
    return answer;
  }
  template <class C>
  Answer<ports::AnswerOf<C>> apply(C change) {
    return ask<ports::AnswerOf<C>>(C::kLane, [change](Parts& to, Place place, auto done) {
      engine::apply<C>(to, std::move(place), change, done);
    });
  }
  Answer<std::vector<Submitted>> submit(std::vector<core::JobSpec> specs) {
    return ask<std::vector<Submitted>>(ports::Lane::submissions, [specs](Parts& to, Place place, auto done) {
      engine::submit(to, std::move(place), specs, done);
    });
  }
  Answer<ClaimAnswer> poll(const WorkerAuth& auth, const std::string& nonce, int slots = 1,
                           Seconds wait = Seconds{0}) {
    return ask<ClaimAnswer>(ports::Lane::workers, [=](Parts& to, const Place&, auto done) {
      const ClaimRequest request{auth, nonce, slots, wait, [] { return true; }};
      take_poll(to, request, with_tokens(request, done));
    });
  }
  Answer<HeartbeatAnswer> heartbeat(const WorkerAuth& auth, const std::vector<ClaimedJob>& has) {
    Heartbeat beat{auth, {}, std::nullopt};
    for (const ClaimedJob& job : has) beat.attempts.push_back(ref(job));
    return ask<HeartbeatAnswer>(
        ports::Lane::workers, [beat](Parts& to, const Place&, auto done) { hear_heartbeat(to, beat, done); });
  }
  Answer<ReportAnswer> report(const WorkerAuth& auth, const ClaimedJob& job,
                              std::optional<core::Outcome> outcome = core::Outcome::succeeded) {
    Report one{auth, ref(job), outcome, {}, 0, std::nullopt, ""};
    return ask<ReportAnswer>(ports::Lane::workers, [one](Parts& to, Place place, auto done) {
      engine::report(to, std::move(place), one, done);
    });
  }
  void unclaim(const std::vector<ClaimedJob>& jobs) {
    std::vector<Delivery> deliveries;
    for (const ClaimedJob& job : jobs)
      deliveries.push_back({job.attempt.job, job.attempt.attempt, job.delivery});
    ask<Ok>(ports::Lane::system,
            [deliveries](Parts& to, const Place&, const auto&) { give_back(to, deliveries); });
  }
  Answer<Ok> lose_worker(WorkerId worker, core::Outcome outcome, const std::string& reason = "lost",
                         bool with_many = false) {
    return ask<Ok>(ports::Lane::system, [=](Parts& to, const Place&, auto done) {
      engine::lose_worker(to, worker, outcome, reason, with_many, done);
    });
  }
  Answer<Registered> register_worker(const Registration& registration) {
    return ask<Registered>(ports::Lane::workers, [registration](Parts& to, Place place, auto done) {
      engine::register_worker(to, std::move(place), HashedRegistration(registration), done);
    });
  }
  Answer<ports::ActOnJob::Answer> act(JobNumber job, core::JobAction action) {
    return apply(ports::ActOnJob{job, {}, action, clock.wall()});
  }

  static AttemptRef ref(const ClaimedJob& job) { return {job.attempt.job, job.attempt.attempt, job.token}; }

  // These settle.
  template <class T>
  T taken(const Answer<T>& answer) {
    settle();
    EXPECT_TRUE(*answer) << "no answer";
    if (!*answer) return T{};
    EXPECT_TRUE((*answer)->ok()) << (*answer)->error().message;
    return (*answer)->ok() ? ***answer : T{};
  }
  template <class T>
  Error refused(const Answer<T>& answer) {
    settle();
    EXPECT_TRUE(*answer && !(*answer)->ok());
    return *answer && !(*answer)->ok() ? (*answer)->error() : Error{};
  }
  std::vector<JobNumber> add_jobs(int count, const std::string& queue = "default") {
    std::vector<JobNumber> out;
    for (const Submitted& one :
         taken(submit(std::vector(static_cast<std::size_t>(count), job_spec("job", queue)))))
      out.push_back(one.number);
    return out;
  }
  // Makes the pool, or edits it.
  ports::PoolRow put_pool(const core::PoolSpec& spec) {
    ports::PutPool put;
    put.spec = spec;
    put.create = !pools_.contains(spec.name);
    put.now = clock.wall();
    const ports::PoolRow row = taken(apply(put)).pool;
    pools_[spec.name] = row.id;
    return row;
  }
  // A registered worker. Where there is no such pool it is of a new one of no provider, which serves the
  // queue of its own name.
  WorkerAuth add_worker(const std::string& instance, int slots = 4, const std::string& pool = "default") {
    if (!pools_.contains(pool)) {
      core::PoolSpec spec;
      spec.name = pool;
      spec.provider = core::Provider::none;
      put_pool(spec);
    }
    const WallTime now = clock.wall();
    core::LaunchRequest request;
    request.client_token = "launch-" + instance;
    const Secret bootstrap = ports::bootstrap_token(state().deployment_secret, request.client_token);
    const auto launch =
        taken(apply(ports::InsertLaunch{pools_[pool], request, sha256(bootstrap.reveal()), "test", now}));
    core::Instance machine;
    machine.id = instance;
    machine.state = core::InstanceState::running;
    taken(apply(ports::RecordLaunch{launch.launch, core::LaunchState::fulfilled, {machine}, "", now}));
    const Registration registration{instance, bootstrap, "nonce", slots, {}, "host", "test"};
    const Registered registered = taken(register_worker(registration));
    return {registered.worker, registered.token};
  }

  drover::testing::ManualClock clock;
  drover::testing::NoMetrics metrics;
  memstore::MemStore store;
  EngineOptions options;
  Inbox inbox;
  Writer writer;
  EngineView shown;
  int tables_wanted = 0;     // how often
  bool counter_runs = true;  // settle() lets it
  std::optional<std::int64_t> count_wanted;
  std::unique_ptr<ports::DepthCount> counting;
  std::int64_t counting_of = 0;  // the epoch
  bool counts = false;
  bool quick_count = false;  // it is told before the order that began it
  std::deque<KeysWanted> keys_wanted;
  std::optional<KeysRead> keys_answered;  // and not told of yet
  std::optional<Order> order;             // given to the writer, and not carried out yet
  std::optional<std::string> resignation;
  Loop loop;

 private:
  std::map<std::string, PoolId> pools_;
};

}  // namespace drover::engine::testing
