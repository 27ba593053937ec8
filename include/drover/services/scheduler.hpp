#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "drover/base/clock.hpp"
#include "drover/core/tunables.hpp"
#include "drover/engine/engine.hpp"
#include "drover/ports/fleet_board.hpp"
#include "drover/ports/reads.hpp"
#include "drover/services/principal.hpp"

namespace drover::services {

// Processors, memory and disk of machines, added up.
struct Capacity {
  double cpus = 0;
  double mem_mib = 0;
  double disk_mib = 0;
};
struct FleetCapacity {
  Capacity total;
  Capacity taken;  // the share of it whose slots run jobs
};

struct TunablesPut {
  core::Tunables before;
  core::Tunables after;
};

struct QueuePage {
  std::map<std::string, engine::QueueView> queues;
  bool counting = false;  // how many jobs are ready is not known yet
  bool more = false;      // there are names above the last
};

// Settings and state of the scheduler as a whole. Thread-safe; a call blocks only where that is said.
class Scheduler {
 public:
  virtual ~Scheduler() = default;

  // unavailable while this daemon does not lead.
  virtual Result<core::Tunables> tunables(const Principal& who) = 0;
  // Stores all of `values` (name → JSON text, each valid by itself), or none of them. Without values nothing
  // is stored, and both answers are the present ones.
  virtual void put_tunables(const Principal& who, std::map<std::string, std::string> values,
                            engine::Done<TunablesPut> done) = 0;

  // unavailable while this daemon does not lead.
  virtual Result<bool> paused(const Principal& who) = 0;
  virtual void pause(const Principal& who, bool paused, engine::Done<Ok> done) = 0;

  // The engine's memory, see engine::Engine::shown(). Never null.
  [[nodiscard]] virtual std::shared_ptr<const engine::EngineView> view() const = 0;
  [[nodiscard]] virtual ports::FleetNotes notes() const = 0;
  // The queues in the leader's memory with names above `after`, by name.
  virtual void queues(const Principal& who, std::string after, int limit, engine::Done<QueuePage> done) = 0;
  // The capacity of all registered workers. Absent when the store does not answer, or when `give_up`, which
  // is called between two reads, is true. Blocks.
  virtual std::optional<FleetCapacity> capacity(const engine::EngineView& view,
                                                const std::function<bool()>& give_up) = 0;
  // Why this daemon is not ready to serve; empty: it is.
  [[nodiscard]] virtual std::string unready() const = 0;
};

// The arguments must outlive the answer; `board` and `unready`, which says why a leader is not ready, may be
// absent.
std::unique_ptr<Scheduler> make_scheduler(engine::Engine& engine, ports::Reads& reads,
                                          const ports::FleetBoard* board,
                                          std::function<std::string()> unready, const Clock& clock);

}  // namespace drover::services
