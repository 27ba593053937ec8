#pragma once

#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "drover/engine/engine.hpp"
#include "drover/ports/tokens.hpp"

#include "job_spec.hpp"
#include "no_metrics.hpp"
#include "patience.hpp"
#include "pg_fixture.hpp"

namespace drover::testing {

// Calls something asynchronous and waits for its answer; none within kPatience is a failure.
template <class T, class Call>
Result<T> wait(Call call) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  auto future = promise->get_future();
  call([promise](Result<T> answer) { promise->set_value(std::move(answer)); });
  if (future.wait_for(kPatience) != std::future_status::ready) {
    ADD_FAILURE() << "no answer";
    return Error{Errc::timeout, "no answer"};
  }
  return future.get();
}

// The real time, and what was missed of it: to the process it looks as if it had been stopped for so long.
class JumpingClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override { return real_.wall() + Millis{missed_}; }
  [[nodiscard]] SteadyTime steady() const override {
    ++asked_;
    return real_.steady() + Millis{missed_};
  }
  void jump(Millis time) { missed_ += time.count(); }
  // How often anybody asked for the steady time: a thread that spins asks without end.
  [[nodiscard]] std::int64_t asked() const { return asked_; }

 private:
  SystemClock real_;
  mutable std::atomic<std::int64_t> asked_{0};
  std::atomic<std::int64_t> missed_{0};
};

class EngineTest : public PgTest {
 protected:
  static engine::EngineOptions often() {
    engine::EngineOptions out;
    out.rescan = Millis{200};
    return out;
  }
  explicit EngineTest(const engine::EngineOptions& options = often())
      : engine_(*store_, clock_, metrics_, options) {}

  // As the daemon does before it leads.
  void SetUp() override {
    ASSERT_TRUE(store_->make_partitions(clock_.wall()).ok());
    start(engine_);
  }

  void start(engine::QueueEngine& engine) {
    engine.start();
    ASSERT_TRUE(eventually([&] { return view(engine).leading; })) << view(engine).standby_reason;
  }
  static engine::EngineView view(engine::Engine& engine) {
    auto seen = wait<engine::EngineView>([&](auto done) { engine.view(done); });
    return seen.ok() ? *seen : engine::EngineView{};
  }
  Result<std::vector<engine::Submitted>> submit(std::vector<core::JobSpec> specs) {
    return wait<std::vector<engine::Submitted>>([&](auto done) { engine_.submit(specs, done); });
  }
  template <class C>
  Result<ports::AnswerOf<C>> apply(C change) {
    return wait<ports::AnswerOf<C>>(
        [&](auto done) { engine_.apply(change, engine::Done<ports::AnswerOf<C>>(done)); });
  }
  Result<engine::ClaimAnswer> claim(const engine::WorkerAuth& auth, const std::string& nonce, int slots,
                                    int wait_s = 0) {
    engine::ClaimRequest request{auth, nonce, slots, Seconds{wait_s}, [] { return true; }};
    return wait<engine::ClaimAnswer>([&](auto done) { engine_.claim(request, done); });
  }
  Result<engine::ReportAnswer> report(const engine::WorkerAuth& auth, const engine::ClaimedJob& job,
                                      std::optional<core::Outcome> outcome = core::Outcome::succeeded) {
    engine::Report one{auth, {job.attempt.job, job.attempt.attempt, job.token}, outcome, {}, 0, std::nullopt,
                       ""};
    return wait<engine::ReportAnswer>([&](auto done) { engine_.report(one, done); });
  }

  // A pool of no provider, made when first asked for, that serves the queue of its own name. As long as new
  // ones are made, for one thread.
  PoolId pool(const std::string& name) {
    const auto known = pools_.find(name);
    if (known != pools_.end()) return known->second;
    ports::PutPool put;
    put.spec.name = name;
    put.spec.provider = core::Provider::none;
    put.create = true;
    put.now = clock_.wall();
    const auto made = apply(put);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return pools_[name] = made->pool.id;
  }

  // A registered worker of that pool.
  engine::WorkerAuth add_worker(const std::string& instance, int slots = 4,
                                const std::string& pool_name = "default") {
    const WallTime now = clock_.wall();
    core::LaunchRequest request;
    request.client_token = "launch-" + instance;
    if (!secret_) secret_ = view(engine_).deployment_secret;
    const Secret bootstrap = ports::bootstrap_token(*secret_, request.client_token);
    const auto launch =
        apply(ports::InsertLaunch{pool(pool_name), request, sha256(bootstrap.reveal()), "test", now});
    EXPECT_TRUE(launch.ok()) << launch.error().message;
    core::Instance machine;
    machine.id = instance;
    machine.state = core::InstanceState::running;
    const auto recorded =
        apply(ports::RecordLaunch{launch->launch, core::LaunchState::fulfilled, {machine}, "", now});
    EXPECT_TRUE(recorded.ok()) << recorded.error().message;
    engine::Registration registration{instance, bootstrap, "nonce", slots, {}, "host", "test"};
    const auto registered =
        wait<engine::Registered>([&](auto done) { engine_.register_worker(registration, done); });
    EXPECT_TRUE(registered.ok()) << registered.error().message;
    return {registered->worker, registered->token};
  }

  // So much time passes for a process that is not stopped: in steps too short to be taken for a standstill.
  void pass(Seconds time) {
    constexpr Millis kStep{900};
    for (Millis left = time; left > Millis{0}; left -= kStep) {
      clock_.jump(std::min<Millis>(left, kStep));
      // Every look is a round of the engine; the store is asked again when its last answer is long ago.
      EXPECT_TRUE(eventually([&] { return view(engine_).trusted_until > clock_.steady(); }));
    }
  }

  std::string leader_pid() {
    return value(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database())");
  }

  JumpingClock clock_;
  NoMetrics metrics_;
  engine::QueueEngine engine_;
  std::map<std::string, PoolId> pools_;
  std::optional<Secret> secret_;  // of the deployment
};

}  // namespace drover::testing
