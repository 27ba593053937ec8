#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "drover/reconcile/fleet_port.hpp"

namespace drover::reconcile {
namespace {

// Waits for the answer of an engine call. The promise is shared, since the answer may come after the wait has
// ended.
template <class T, class Call>
Result<T> answer_of(Millis wait, Call call) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  auto future = promise->get_future();
  call([promise](Result<T> result) { promise->set_value(std::move(result)); });
  if (future.wait_for(wait) != std::future_status::ready) {
    return timed_out("the engine did not answer in time");
  }
  return future.get();
}

}  // namespace

EngineFleet::EngineFleet(engine::Engine& engine, ports::Reads& reads, Millis answer_time)
    : engine_(engine), reads_(reads), answer_time_(answer_time) {}

Result<engine::EngineView> EngineFleet::view() {
  return answer_of<engine::EngineView>(answer_time_, [&](auto done) { engine_.view(std::move(done)); });
}

Result<ports::FleetSnapshot> EngineFleet::fleet() {
  return reads_.fleet();
}

ports::Settled EngineFleet::apply_any(ports::Change change) {
  return std::visit(
      [&]<class C>(C specific) {
        return ports::settled<C>(answer_of<ports::AnswerOf<C>>(answer_time_, [&](auto done) {
          engine_.apply(std::move(specific), engine::Done<ports::AnswerOf<C>>(std::move(done)));
        }));
      },
      std::move(change));
}

std::vector<Status> EngineFleet::lose_workers(const std::vector<LostWorker>& lost) {
  std::vector<std::future<Status>> answers;
  for (const LostWorker& one : lost) {
    auto promise = std::make_shared<std::promise<Status>>();
    answers.push_back(promise->get_future());
    engine_.lose_worker(one.worker, one.outcome, one.reason, one.with_many,
                        [promise](Status status) { promise->set_value(std::move(status)); });
  }
  const auto until = std::chrono::steady_clock::now() + answer_time_;
  std::vector<Status> out;
  for (auto& answer : answers) {
    const bool ready = answer.wait_until(until) == std::future_status::ready;
    out.push_back(ready ? answer.get() : Status(timed_out("the engine did not answer in time")));
  }
  return out;
}

}  // namespace drover::reconcile
