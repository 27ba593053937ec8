#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "drover/reconcile/fleet_port.hpp"

#include "engine/one_thread.hpp"

namespace drover::reconcile::testing {

using engine::testing::OneThread;

// The engine and its store in one thread: each call returns when the engine has come to rest.
class OneThreadFleet final : public FleetPort {
 public:
  explicit OneThreadFleet(OneThread& engine) : engine_(engine) {}
  Result<engine::EngineView> view() override { return engine::view_of(engine_.parts()); }
  Result<ports::FleetSnapshot> fleet() override { return engine_.store.fleet(); }
  ports::Settled apply_any(ports::Change change) override;
  std::vector<Status> lose_workers(const std::vector<LostWorker>& lost) override;

 private:
  OneThread& engine_;
};

// Passes on what it is asked, amid what a test has planned.
class PlannedFleet final : public FleetPort {
 public:
  explicit PlannedFleet(FleetPort& real) : real_(real) {}
  Result<engine::EngineView> view() override { return real_.view(); }
  Result<ports::FleetSnapshot> fleet() override;
  ports::Settled apply_any(ports::Change change) override;
  std::vector<Status> lose_workers(const std::vector<LostWorker>& lost) override {
    return real_.lose_workers(lost);
  }

  // What happens just before, or just after, the next change of this name is carried out. Once.
  struct Happening {
    std::string_view change;
    std::function<void()> happens;
  };
  std::optional<Happening> before;
  std::optional<Happening> after;
  int snapshots = 0;          // that were asked for
  int snapshot_fails_at = 0;  // this one and all later ones find the store away; 0: none

 private:
  static void let_happen(std::optional<Happening>& what, std::string_view change);
  FleetPort& real_;
};

}  // namespace drover::reconcile::testing
