#include "api/fake_engine.hpp"

namespace drover::api {

template <class T>
void FakeEngine::answer(const engine::Done<T>& done, Result<T> result) {
  Result<T> told = script_.error ? Result<T>(*script_.error) : std::move(result);
  if (!script_.late) return done(std::move(told));
  const std::lock_guard lock(mutex_);
  late_.emplace_back([done, told = std::move(told)]() mutable { done(std::move(told)); });
}

FakeEngine::~FakeEngine() {
  for (std::thread& one : late_) one.join();
}

void FakeEngine::submit(std::vector<core::JobSpec> specs, engine::Done<std::vector<engine::Submitted>> done) {
  std::vector<engine::Submitted> made;
  for (core::JobSpec& spec : specs) {
    const auto number = static_cast<std::int64_t>(script_.submitted.size()) + 1;
    const WallTime created{std::chrono::sys_days{std::chrono::year{2030} / 1 / 1}};
    made.push_back({JobNumber{number}, make_job_id(JobNumber{number}, created, 7),
                    spec.hold ? core::JobState::held : core::JobState::queued, created});
    if (!script_.error) script_.submitted.push_back(std::move(spec));
  }
  answer<std::vector<engine::Submitted>>(done, std::move(made));
}
void FakeEngine::act(ports::ActOnJob act, engine::Done<engine::ActAnswer> done) {
  script_.acts.push_back(std::move(act));
  answer(done, script_.act);
}
void FakeEngine::register_worker(const engine::Registration& registration,
                                 engine::Done<engine::Registered> done) {
  script_.registrations.push_back(registration);
  answer(done, script_.registered);
}
void FakeEngine::claim(engine::ClaimRequest request, engine::Done<engine::ClaimAnswer> done) {
  script_.claims.push_back(std::move(request));
  answer(done, script_.claim);
}
void FakeEngine::unclaim(std::vector<engine::Delivery> deliveries) {
  script_.unclaimed = std::move(deliveries);
}
void FakeEngine::heartbeat(engine::Heartbeat heartbeat, engine::Done<engine::HeartbeatAnswer> done) {
  script_.heartbeats.push_back(std::move(heartbeat));
  answer(done, script_.heartbeat);
}
void FakeEngine::report(engine::Report report, engine::Done<engine::ReportAnswer> done) {
  script_.reports.push_back(std::move(report));
  answer(done, script_.report);
}
Status FakeEngine::check_worker(const engine::WorkerAuth&) const {
  return script_.known;
}
void FakeEngine::check_attempt(engine::WorkerAuth, engine::AttemptRef attempt,
                               engine::Done<ports::OpenAttempt> done) {
  if (!script_.checked.ok()) return done(script_.checked);
  ports::OpenAttempt open = *script_.checked;
  open.job = attempt.job;
  open.attempt = attempt.attempt;
  answer<ports::OpenAttempt>(done, std::move(open));
}
void FakeEngine::put_artifact(engine::WorkerAuth, engine::AttemptRef attempt, std::string name, std::int64_t,
                              Sha256, engine::Done<Ok> done) {
  script_.artifacts.emplace_back(std::move(name), attempt.token.reveal());
  answer<Ok>(done, Ok{});
}
void FakeEngine::apply_any(ports::Change change, std::function<void(ports::Settled)> done) {
  script_.applied.push_back(change);
  if (script_.error) return done(ports::refused(change, *script_.error));
  if (script_.apply) return done(script_.apply(change));
  done(std::visit([]<class C>(const C&) { return ports::settled<C>(ports::AnswerOf<C>{}); }, change));
}
void FakeEngine::lose_worker(WorkerId, core::Outcome, std::string, bool, engine::Done<Ok> done) {
  answer<Ok>(done, Ok{});
}
void FakeEngine::view(engine::QueuesWanted queues, engine::Done<engine::EngineView> done) {
  engine::EngineView view = script_.view;
  if (queues.which == engine::QueuesWanted::Which::by_name) {
    std::erase_if(view.queues, [&](const auto& queue) { return queue.first <= queues.after; });
    while (view.queues.size() > queues.limit) view.queues.erase(std::prev(view.queues.end()));
  }
  answer<engine::EngineView>(done, std::move(view));
}
std::shared_ptr<const engine::EngineView> FakeEngine::shown() const {
  return std::make_shared<const engine::EngineView>(script_.view);
}
engine::EnginePulse FakeEngine::pulse() const {
  return {};
}
void FakeEngine::place(std::string, core::ReadyKey, engine::Done<engine::JobPlace> done) {
  answer<engine::JobPlace>(done, script_.place);
}

}  // namespace drover::api
