#pragma once

#include "drover/ports/tokens.hpp"
#include "drover/reconcile/reconciler.hpp"

#include "fakes.hpp"

namespace drover::reconcile::testing {

inline core::CloudError cloud_error(core::CloudErrorClass error_class, const std::string& code) {
  return {error_class, code, code + " for a reason"};
}

// A reconciler with everything around it, ticked by hand.
struct Bench {
  ManualClock clock;
  CountingMetrics metrics;
  FakeCloud cloud{clock};
  FakeFleet fleet{clock};
  std::unique_ptr<Reconciler> reconciler = make();

  std::unique_ptr<Reconciler> make() {
    ReconcileOptions options;
    options.render_user_data = [](const core::PoolSpec& pool) {
      return "pool=" + pool.name + " token=" + std::string(ports::kBootstrapPlaceholder);
    };
    return std::make_unique<Reconciler>(fleet, cloud, clock, metrics, std::move(options));
  }
  // A daemon that died and came back: memory is gone, the store and the cloud are not.
  void restart() {
    reconciler = make();
    ++fleet.memory.epoch;
  }
  Millis tick() { return reconciler->tick(); }
  void ticks(int count, Seconds apart) {
    for (int i = 0; i < count; ++i) {
      tick();
      clock.pass(apart);
    }
  }
  // The store's worker of an instance, made by a launch, says hello.
  void register_all() {
    for (auto& worker : fleet.workers) {
      if (worker.state != core::WorkerState::starting) continue;
      worker.state = core::WorkerState::active;
      worker.registered = clock.wall();
    }
    for (auto& [id, instance] : cloud.instances) {
      if (instance.state == core::InstanceState::pending) instance.state = core::InstanceState::running;
    }
  }
  [[nodiscard]] const FleetNote* note(const std::string& pool, core::NoteKind kind) {
    status = reconciler->status();
    for (const auto& note : status.notes) {
      if (note.pool == pool && note.kind == kind) return &note;
    }
    return nullptr;
  }
  FleetStatus status;
};

}  // namespace drover::reconcile::testing
