#include <future>
#include <memory>
#include <utility>

#include "drover/reconcile/fleet_port.hpp"

namespace drover::reconcile {
namespace {

// Waits for the answer of an engine call. The promise is shared: an answer that comes after the wait ended
// has where to go.
template <class T, class Call>
Result<T> answer_of(Millis wait, Call call) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  auto future = promise->get_future();
  call([promise](Result<T> result) { promise->set_value(std::move(result)); });
  if (future.wait_for(wait) != std::future_status::ready) {
    return Error{Errc::timeout, "the engine did not answer in time"};
  }
  return future.get();
}

}  // namespace

EngineFleet::EngineFleet(engine::Engine& engine, ports::Store& store, Millis answer_time)
    : engine_(engine), store_(store), answer_time_(answer_time) {}

Result<engine::EngineView> EngineFleet::view() {
  return answer_of<engine::EngineView>(answer_time_, [&](auto done) { engine_.view(std::move(done)); });
}

Result<ports::FleetSnapshot> EngineFleet::fleet() {
  return store_.fleet();
}

Result<ports::Applied> EngineFleet::apply(ports::Command command) {
  return answer_of<ports::Applied>(answer_time_,
                                   [&](auto done) { engine_.apply(std::move(command), std::move(done)); });
}

Status EngineFleet::lose_worker(WorkerId worker, core::Outcome outcome, const std::string& reason,
                                bool with_many) {
  return answer_of<Ok>(answer_time_, [&](auto done) {
    engine_.lose_worker(worker, outcome, reason, with_many, std::move(done));
  });
}

}  // namespace drover::reconcile
