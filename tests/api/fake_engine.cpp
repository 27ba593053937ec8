// engine::Engine as these tests see it: it answers from the script of their store. Defined here, the real one
// is not linked in.
#include "drover/engine/engine.hpp"

#include "fake_store.hpp"

namespace drover::engine {

struct Engine::Impl {
  explicit Impl(api::EngineScript& wanted) : script(wanted) {}
  api::EngineScript& script;

  template <class T>
  void answer(const Done<T>& done, Result<T> result) const {
    done(script.error ? Result<T>(*script.error) : std::move(result));
  }
};

Engine::Engine(ports::Store& store, const Clock&, ports::Metrics&, EngineOptions)
    : impl_(std::make_unique<Impl>(dynamic_cast<api::FakeStore&>(store).engine)) {}
Engine::~Engine() = default;
void Engine::start() {}
void Engine::stop() {}
void Engine::on_demand(std::function<void()>) {}

void Engine::submit(std::vector<core::JobSpec> specs, Done<std::vector<Submitted>> done) {
  std::vector<Submitted> answer;
  for (core::JobSpec& spec : specs) {
    const auto number = static_cast<std::int64_t>(impl_->script.submitted.size()) + 1;
    const WallTime created{std::chrono::sys_days{std::chrono::year{2030} / 1 / 1}};
    answer.push_back({JobNumber{number}, make_job_id(JobNumber{number}, created, 7),
                      spec.hold ? core::JobState::held : core::JobState::queued, created});
    if (!impl_->script.error) impl_->script.submitted.push_back(std::move(spec));
  }
  impl_->answer<std::vector<Submitted>>(done, std::move(answer));
}
void Engine::act(ports::ActOnJob act, Done<ActAnswer> done) {
  impl_->script.acts.push_back(std::move(act));
  impl_->answer(done, impl_->script.act);
}
void Engine::register_worker(const Registration& registration, Done<Registered> done) {
  impl_->script.registrations.push_back(registration);
  impl_->answer(done, impl_->script.registered);
}
void Engine::claim(ClaimRequest request, Done<ClaimAnswer> done) {
  impl_->script.claims.push_back(std::move(request));
  impl_->answer(done, impl_->script.claim);
}
void Engine::unclaim(std::vector<Delivery> deliveries) {
  impl_->script.unclaimed = std::move(deliveries);
}
void Engine::heartbeat(Heartbeat heartbeat, Done<HeartbeatAnswer> done) {
  impl_->script.heartbeats.push_back(std::move(heartbeat));
  impl_->answer(done, impl_->script.heartbeat);
}
void Engine::report(Report report, Done<ReportAnswer> done) {
  impl_->script.reports.push_back(std::move(report));
  impl_->answer(done, impl_->script.report);
}
Status Engine::check_worker(const WorkerAuth&) const {
  return impl_->script.known;
}
void Engine::check_attempt(WorkerAuth, AttemptRef attempt, Done<ports::OpenAttempt> done) {
  if (!impl_->script.checked.ok()) return done(impl_->script.checked);
  ports::OpenAttempt open = *impl_->script.checked;
  open.job = attempt.job;
  open.attempt = attempt.attempt;
  impl_->answer<ports::OpenAttempt>(done, std::move(open));
}
void Engine::put_artifact(WorkerAuth, AttemptRef attempt, std::string name, std::int64_t, Sha256,
                          Done<Ok> done) {
  impl_->script.artifacts.emplace_back(std::move(name), attempt.token.reveal());
  impl_->answer<Ok>(done, Ok{});
}
void Engine::apply_any(ports::Change change, std::function<void(ports::Settled)> done) {
  impl_->script.applied.push_back(change);
  if (impl_->script.error) return done(ports::refused(change, *impl_->script.error));
  if (impl_->script.apply) return done(impl_->script.apply(change));
  done(std::visit([]<class C>(const C&) { return ports::settled<C>(ports::AnswerOf<C>{}); }, change));
}
void Engine::lose_worker(WorkerId, core::Outcome, std::string, bool, Done<Ok> done) {
  impl_->answer<Ok>(done, Ok{});
}
void Engine::view(QueuesWanted queues, Done<EngineView> done) {
  EngineView view = impl_->script.view;
  if (queues.which == QueuesWanted::Which::by_name) {
    std::erase_if(view.queues, [&](const auto& queue) { return queue.first <= queues.after; });
    while (view.queues.size() > queues.limit) view.queues.erase(std::prev(view.queues.end()));
  }
  impl_->answer<EngineView>(done, std::move(view));
}
std::shared_ptr<const EngineView> Engine::shown() const {
  return std::make_shared<const EngineView>(impl_->script.view);
}
EnginePulse Engine::pulse() const {
  return {};
}
void Engine::place(std::string, core::ReadyKey, Done<JobPlace> done) {
  impl_->answer<JobPlace>(done, impl_->script.place);
}

}  // namespace drover::engine
