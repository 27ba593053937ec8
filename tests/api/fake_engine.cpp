#include "api/fake_engine.hpp"

namespace drover::api {

using namespace engine;  // NOLINT(google-build-using-namespace): its words are all this file is about

template <class T>
void FakeEngine::answer(const Done<T>& done, Result<T> result) {
  Result<T> told = script_.error ? Result<T>(*script_.error) : std::move(result);
  if (!script_.late) return done(std::move(told));
  const std::lock_guard lock(mutex_);
  late_.emplace_back([done, told = std::move(told)]() mutable { done(std::move(told)); });
}

FakeEngine::~FakeEngine() {
  for (std::thread& one : late_) one.join();
}

void FakeEngine::submit(std::vector<core::JobSpec> specs, Done<std::vector<Submitted>> done) {
  std::vector<Submitted> made;
  for (core::JobSpec& spec : specs) {
    const auto number = static_cast<std::int64_t>(script_.submitted.size()) + 1;
    const WallTime created{std::chrono::sys_days{std::chrono::year{2030} / 1 / 1}};
    made.push_back({JobNumber{number}, make_job_id(JobNumber{number}, created, 7),
                    spec.hold ? core::JobState::held : core::JobState::queued, created});
    if (!script_.error) script_.submitted.push_back(std::move(spec));
  }
  answer<std::vector<Submitted>>(done, std::move(made));
}
void FakeEngine::act(ports::ActOnJob act, Done<ActAnswer> done) {
  script_.acts.push_back(std::move(act));
  answer(done, script_.act);
}
void FakeEngine::register_worker(const Registration& registration, Done<Registered> done) {
  script_.registrations.push_back(registration);
  answer(done, script_.registered);
}
void FakeEngine::claim(ClaimRequest request, Done<ClaimAnswer> done) {
  script_.claims.push_back(std::move(request));
  answer(done, script_.claim);
}
void FakeEngine::unclaim(std::vector<Delivery> deliveries) {
  script_.unclaimed = std::move(deliveries);
}
void FakeEngine::heartbeat(Heartbeat heartbeat, Done<HeartbeatAnswer> done) {
  script_.heartbeats.push_back(std::move(heartbeat));
  answer(done, script_.heartbeat);
}
void FakeEngine::report(Report report, Done<ReportAnswer> done) {
  script_.reports.push_back(std::move(report));
  answer(done, script_.report);
}
Status FakeEngine::check_worker(const WorkerAuth&) const {
  return script_.known;
}
void FakeEngine::check_attempt(WorkerAuth, AttemptRef attempt, Done<ports::OpenAttempt> done) {
  if (!script_.checked.ok()) return done(script_.checked);
  ports::OpenAttempt open = *script_.checked;
  open.job = attempt.job;
  open.attempt = attempt.attempt;
  answer<ports::OpenAttempt>(done, std::move(open));
}
void FakeEngine::put_artifact(WorkerAuth, AttemptRef attempt, std::string name, std::int64_t, Sha256,
                              Done<Ok> done) {
  script_.artifacts.emplace_back(std::move(name), attempt.token.reveal());
  answer<Ok>(done, Ok{});
}
void FakeEngine::apply_any(ports::Change change, std::function<void(ports::Settled)> done) {
  script_.applied.push_back(change);
  if (script_.error) return done(ports::refused(change, *script_.error));
  if (script_.apply) return done(script_.apply(change));
  done(std::visit([]<class C>(const C&) { return ports::settled<C>(ports::AnswerOf<C>{}); }, change));
}
void FakeEngine::lose_worker(WorkerId, core::Outcome, std::string, bool, Done<Ok> done) {
  answer<Ok>(done, Ok{});
}
void FakeEngine::view(QueuesWanted queues, Done<EngineView> done) {
  EngineView view = script_.view;
  if (queues.which == QueuesWanted::Which::by_name) {
    std::erase_if(view.queues, [&](const auto& queue) { return queue.first <= queues.after; });
    while (view.queues.size() > queues.limit) view.queues.erase(std::prev(view.queues.end()));
  }
  answer<EngineView>(done, std::move(view));
}
std::shared_ptr<const EngineView> FakeEngine::shown() const {
  return std::make_shared<const EngineView>(script_.view);
}
EnginePulse FakeEngine::pulse() const {
  return {};
}
void FakeEngine::place(std::string, core::ReadyKey, Done<JobPlace> done) {
  answer<JobPlace>(done, script_.place);
}

}  // namespace drover::api
