#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/core/fleet/plan.hpp"
#include "drover/ports/cloud.hpp"
#include "drover/ports/fleet_board.hpp"
#include "drover/ports/metrics.hpp"
#include "drover/reconcile/fleet_port.hpp"

namespace drover::reconcile {

struct ReconcileOptions {
  // The user data of a pool's machines, with ports::kBootstrapPlaceholder where the token goes. Frozen with
  // the intent. Called on the reconciler's thread.
  std::function<std::string(const core::PoolSpec&)> render_user_data;
  Millis debounce{20};  // from wake() to the tick, so that many wakes in a burst lead to one tick
  // Between the starts of two ticks that list the cloud, however often wake() is called.
  Millis min_gap{1000};
  double jitter = 0.1;  // share of the interval, either way
};

// Why something is not done, for /explain and /pools.
struct FleetNote {
  std::string pool;  // empty: the whole fleet
  core::NoteKind kind = core::NoteKind::paused;
  std::string text;                       // a sentence; empty where the cloud's error says why
  std::optional<core::CloudError> error;  // where the cloud refused
  std::string instance_type;              // that it refused
  std::optional<WallTime> next_try;
};

// A cloud call that failed and has not worked since.
struct CloudTrouble {
  std::string call;  // "list", "launch", "terminate", "look_up"
  core::CloudError error;
  WallTime at;
  std::optional<WallTime> next_try;
};

struct FleetStatus {
  bool leading = false;
  std::optional<WallTime> last_tick;  // the last with a listing of the cloud
  std::optional<CloudTrouble> trouble;
  std::string frozen;            // non-empty: why nothing is decided from absence
  std::vector<FleetNote> notes;  // of the last tick
  std::vector<core::PoolFigures> pools;
};

// Keeps the fleet as the pools want it: one thread that looks (store, cloud, store again), plans and carries
// out. What it learns of the cloud's refusals is kept in memory only, and forgotten at the start of each term
// of leadership.
class Reconciler final : public ports::FleetBoard {
 public:
  // All references must outlive it; `fleet` and `cloud` are used by its thread alone.
  Reconciler(FleetPort& fleet, ports::Cloud& cloud, const Clock& clock, ports::Metrics& metrics,
             ReconcileOptions options);
  ~Reconciler() override;  // stop()s
  Reconciler(const Reconciler&) = delete;
  Reconciler& operator=(const Reconciler&) = delete;

  void start();
  // Returns when the tick under way, if any, has ended.
  void stop();
  // Asks for a tick soon, because something changed. Any thread; does not block.
  void wake();
  // One tick on the caller's thread, for tests and tools; not while started. How long the next one may wait.
  Millis tick();

  // Any thread; does not block for long.
  [[nodiscard]] FleetStatus status() const;
  [[nodiscard]] ports::FleetNotes notes() const override;
  // When the loop last made progress, for a watchdog. A failed cloud call counts as progress. Any thread.
  [[nodiscard]] SteadyTime last_progress() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace drover::reconcile
