#pragma once

#include <string>

#include "drover/base/clock.hpp"
#include "drover/base/result.hpp"
#include "drover/engine/engine.hpp"
#include "drover/ports/commands.hpp"
#include "drover/ports/store.hpp"

namespace drover::reconcile {

// What the reconciler needs of the engine and the store: to look, and to submit. Blocking, each call bounded
// in time; called from one thread. An Error of code `timeout` leaves open whether the effect happened.
class FleetPort {
 public:
  virtual ~FleetPort() = default;
  virtual Result<engine::EngineView> view() = 0;
  virtual Result<ports::FleetSnapshot> fleet() = 0;
  virtual Result<ports::Applied> apply(ports::Command command) = 0;
  // Ends its open attempts with this outcome, then it is gone.
  virtual Status lose_worker(WorkerId worker, core::Outcome outcome, const std::string& reason,
                             bool with_many) = 0;
};

// The real one. `answer_time` bounds the wait for the engine's answers.
class EngineFleet final : public FleetPort {
 public:
  EngineFleet(engine::Engine& engine, ports::Store& store, Millis answer_time = Seconds{15});
  Result<engine::EngineView> view() override;
  Result<ports::FleetSnapshot> fleet() override;
  Result<ports::Applied> apply(ports::Command command) override;
  Status lose_worker(WorkerId worker, core::Outcome outcome, const std::string& reason,
                     bool with_many) override;

 private:
  engine::Engine& engine_;
  ports::Store& store_;
  Millis answer_time_;
};

}  // namespace drover::reconcile
