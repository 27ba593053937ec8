#pragma once

#include <string>
#include <utility>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/result.hpp"
#include "drover/engine/engine.hpp"
#include "drover/ports/changes.hpp"
#include "drover/ports/reads.hpp"

namespace drover::reconcile {

// A worker whose machine no longer exists.
struct LostWorker {
  WorkerId worker;
  core::Outcome outcome = core::Outcome::interruption;  // of its open attempts
  std::string reason;
  bool with_many = false;  // more of the fleet was lost at once than is credible
};

// What the reconciler needs of the engine and the store: to look, and to submit. Blocking, each call bounded
// in time; called from one thread. An Error of code `timeout` leaves open whether the effect happened.
class FleetPort {
 public:
  virtual ~FleetPort() = default;
  virtual Result<engine::EngineView> view() = 0;
  virtual Result<ports::FleetSnapshot> fleet() = 0;
  virtual ports::Settled apply_any(ports::Change change) = 0;
  template <class C>
  Result<ports::AnswerOf<C>> apply(C change) {
    ports::Settled settled = apply_any(std::move(change));
    return std::move(ports::result_of<C>(settled));
  }
  // Ends the open attempts of each worker with its outcome, then marks the worker gone; all workers at once.
  // Returns how each went, in their order.
  virtual std::vector<Status> lose_workers(const std::vector<LostWorker>& lost) = 0;
};

// The real one. `answer_time` bounds the wait for the engine's answers.
class EngineFleet final : public FleetPort {
 public:
  EngineFleet(engine::Engine& engine, ports::Reads& reads, Millis answer_time = Seconds{15});
  Result<engine::EngineView> view() override;
  Result<ports::FleetSnapshot> fleet() override;
  ports::Settled apply_any(ports::Change change) override;
  std::vector<Status> lose_workers(const std::vector<LostWorker>& lost) override;

 private:
  engine::Engine& engine_;
  ports::Reads& reads_;
  Millis answer_time_;
};

}  // namespace drover::reconcile
