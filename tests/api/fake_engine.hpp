#pragma once

#include <mutex>
#include <thread>
#include <vector>

#include "drover/engine/engine.hpp"

#include "api/fake_store.hpp"

namespace drover::api {

// An engine that answers from a script, so that a test says exactly what services and handlers get to see: at
// once, on the caller's thread, or from another one (EngineScript::late), as the real engine does.
class FakeEngine final : public engine::Engine {
 public:
  explicit FakeEngine(EngineScript& script) : script_(script) {}
  ~FakeEngine() override;  // waits for its answers
  FakeEngine(const FakeEngine&) = delete;
  FakeEngine& operator=(const FakeEngine&) = delete;

  using Engine::view;
  void submit(std::vector<core::JobSpec> specs, engine::Done<std::vector<engine::Submitted>> done) override;
  void act(ports::ActOnJob act, engine::Done<engine::ActAnswer> done) override;
  void register_worker(const engine::Registration& registration,
                       engine::Done<engine::Registered> done) override;
  void claim(engine::ClaimRequest request, engine::Done<engine::ClaimAnswer> done) override;
  void unclaim(std::vector<engine::Delivery> deliveries) override;
  void heartbeat(engine::Heartbeat heartbeat, engine::Done<engine::HeartbeatAnswer> done) override;
  void report(engine::Report report, engine::Done<engine::ReportAnswer> done) override;
  [[nodiscard]] Status check_worker(const engine::WorkerAuth& auth) const override;
  void check_attempt(engine::WorkerAuth auth, engine::AttemptRef attempt,
                     engine::Done<ports::OpenAttempt> done) override;
  void put_artifact(engine::WorkerAuth auth, engine::AttemptRef attempt, std::string name, std::int64_t size,
                    Sha256 sha256, engine::Done<Ok> done) override;
  void lose_worker(WorkerId worker, core::Outcome outcome, std::string reason, bool with_many,
                   engine::Done<Ok> done) override;
  void view(engine::QueuesWanted queues, engine::Done<engine::EngineView> done) override;
  [[nodiscard]] std::shared_ptr<const engine::EngineView> shown() const override;
  [[nodiscard]] engine::EnginePulse pulse() const override;
  void place(std::string queue, core::ReadyKey key, engine::Done<engine::JobPlace> done) override;

 private:
  void apply_any(ports::Change change, std::function<void(ports::Settled)> done) override;
  template <class T>
  void answer(const engine::Done<T>& done, Result<T> result);

  EngineScript& script_;
  std::mutex mutex_;
  std::vector<std::thread> late_;
};

}  // namespace drover::api
