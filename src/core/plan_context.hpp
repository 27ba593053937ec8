#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "drover/core/plan.hpp"

// What the steps of plan() share. Everything is looked at in the order of ids and names, so that the order of
// the observation's vectors cannot matter.
namespace drover::core {

struct PoolState {
  const PoolView* view = nullptr;
  std::vector<const FleetWorker*> workers;  // by id
  PoolFigures figures;
  int busy = 0;               // machines that run jobs side by side
  int empty = 0;              // machines, there or under way, that run nothing
  int alone = 0;              // machines that one suspect has, or is to have, to itself
  std::int64_t unserved = 0;  // ready jobs that no pool has room for, of its queues
};

class Context {
 public:
  Context(const Observation& observation, Plan& out);

  const Observation& seen;
  Plan& plan;
  std::map<WorkerId, const FleetWorker*> workers;
  std::map<std::string, const FleetWorker*> by_instance;
  std::map<std::string, const Instance*> listed;
  std::map<LaunchId, const FleetLaunch*> launches;
  std::map<std::string, PoolState> pools;
  std::set<WorkerId> leaving;  // that an action of this plan ends
  int asked_for = 0;           // machines, by this plan's calls that nothing was charged for yet

  template <class A>
  void act(A action) {
    plan.actions.emplace_back(std::move(action));
  }
  void note(const std::string& pool, NoteKind kind, std::string text, std::optional<Millis> next_try = {});
  // The next tick is wanted no later than after `delay`.
  void wake_in(SteadyTime::duration delay);
  void wake_at(SteadyTime time) { wake_in(time - seen.steady); }

  [[nodiscard]] Provider provider_of(const FleetWorker& worker) const;
  // May the cloud's listing say anything about this worker?
  [[nodiscard]] bool judged(const FleetWorker& worker) const;
  // Do we launch and terminate this worker's machine?
  [[nodiscard]] bool managed(const FleetWorker& worker) const { return provider_of(worker) == Provider::ec2; }
  [[nodiscard]] SteadyTime::duration age(const FleetWorker& worker) const;
  // Nothing was heard of it for this long, in this term of leadership.
  [[nodiscard]] SteadyTime::duration silence(const FleetWorker& worker) const;
  [[nodiscard]] Seconds silence_allowed() const { return core::silence_allowed(seen.tunables); }
  // A registered worker that holds nothing and has outlived that: it takes no job, so it is no capacity.
  [[nodiscard]] bool silent(const FleetWorker& worker) const;
  // A worker that holds nothing and whose first question for work since then is still to be expected.
  [[nodiscard]] bool about_to_ask(const FleetWorker& worker) const;
  // A worker that holds nothing and has not asked for work for so long that it is not going to.
  [[nodiscard]] bool asks_no_more(const FleetWorker& worker) const;
  // Of a fleet, how many may be lost from sight at once before that says more about us than about them.
  [[nodiscard]] double credible_loss(int fleet) const;
  [[nodiscard]] bool frozen() const { return !plan.frozen.empty(); }
  // Terminates now, unless that was asked for a moment ago.
  void terminate(const FleetWorker* worker, const std::string& instance_id, bool mark, std::string reason);
};

// The queues that a pool's workers serve.
[[nodiscard]] std::vector<std::string> queues_of(const PoolSpec& spec);
// A machine that ended without registering, by its own fault.
void distrust(Context& c, const FleetWorker& worker);
// The steps, in order.
void remember(Context& c);          // memory.cpp: who is new, who registered; forgets the departed
void judge_workers(Context& c);     // lost.cpp
void measure_pools(Context& c);     // demand.cpp
void resolve_launches(Context& c);  // launches.cpp
void end_orphans(Context& c);       // orphans.cpp
void end_workers(Context& c);       // endings.cpp: asked to end, never registered, drained, silent
void scale_in(Context& c);          // scale_in.cpp
void scale_out(Context& c);         // scale_out.cpp
void block_pools(Context& c);       // memory.cpp

// The first offering of the pool that is not muted; else nullptr and, in `muted`, the mute that ends first.
struct OfferingChoice {
  std::optional<Offering> offering;
  const Mute* muted = nullptr;
};
[[nodiscard]] OfferingChoice choose_offering(const Observation& seen, const PoolSpec& pool);

}  // namespace drover::core
