#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "drover/core/fleet/plan.hpp"

namespace drover::core {

struct PoolLook {
  const PoolView* view = nullptr;
  std::vector<const FleetWorker*> workers;  // by id
};

// What one plan looks at, indexed. Everything is looked at in the order of ids and names, so that the order
// of the observation's vectors cannot matter; nothing of it changes while the plan is made.
class Look {
 public:
  explicit Look(const Observation& observation);

  const Observation& seen;
  std::map<WorkerId, const FleetWorker*> workers;  // that are not gone
  std::map<std::string, const FleetWorker*> by_instance;
  std::map<std::string, const Instance*> listed;
  std::map<LaunchId, const FleetLaunch*> launches;
  std::map<std::string, PoolLook> pools;

  [[nodiscard]] Provider provider_of(const FleetWorker& worker) const;
  // May the cloud's listing say anything about this worker?
  [[nodiscard]] bool judged(const FleetWorker& worker) const { return provider_of(worker) != Provider::none; }
  // Do we launch and terminate this worker's machine?
  [[nodiscard]] bool managed(const FleetWorker& worker) const { return provider_of(worker) == Provider::ec2; }
  [[nodiscard]] Seconds silence_allowed() const { return core::silence_allowed(seen.tunables); }
  // Do machines of this launch count against the launches of this minute already?
  [[nodiscard]] bool is_charged(LaunchId launch) const;
  // See core::credible_loss.
  [[nodiscard]] double credible_loss(int fleet) const;
};

// What a step of the plan wants done, said and looked at again.
struct Part {
  std::vector<Action> actions;
  std::vector<Note> notes;
  std::optional<SteadyTime::duration> wake;  // the next tick is wanted no later than after this

  void act(Action action) { actions.push_back(std::move(action)); }
  void note(const std::string& pool, NoteKind kind, std::string text, std::optional<Millis> next_try = {});
  void wake_in(SteadyTime::duration delay);
  // Terminates now, unless that was asked for a moment ago. `worker` 0: an orphan.
  void terminate(const Look& look, WorkerId worker, const std::string& instance_id, bool mark,
                 std::string reason);
};

// Since this program first saw the worker.
[[nodiscard]] SteadyTime::duration age_of(const Look& look, const PlannerMemory& memory, WorkerId id);

}  // namespace drover::core
