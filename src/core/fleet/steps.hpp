#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "categories.hpp"

// The steps of a plan, in the order in which plan() takes them. Each is given what it looks at and returns
// what it makes of that. A step that changes another's result takes it by value and returns the changed one.
namespace drover::core {

// memory.cpp: which workers and launches are new, and which are gone; whether the pools' machines come up.
[[nodiscard]] PlannerMemory remember(const Look& look);
void distrust(PlannerMemory& memory, const std::vector<const FleetWorker*>& failed);
[[nodiscard]] Part block_pools(const Look& look, const PlannerMemory& memory);

// endings.cpp: what becomes of each worker by its category, but for idle ones.
struct Endings {
  Part part;
  std::vector<const FleetWorker*> failed;  // ended, or are to end, without registering, by their own fault
};
[[nodiscard]] Endings end_workers(const Look& look, const Classified& workers, const Sightings& sightings);

// demand.cpp
struct PoolDemand {
  PoolFigures figures;
  int busy = 0;               // machines that run jobs side by side
  int empty = 0;              // machines, there or under way, that run nothing
  int alone = 0;              // machines that one suspect has, or is to have, to itself
  std::int64_t unserved = 0;  // ready jobs that no pool has room for, of its queues
};
using Demand = std::map<std::string, PoolDemand>;  // by pool
[[nodiscard]] Demand measure_demand(const Look& look, const Classified& workers);

// launches.cpp: intents adopted, called, or closed; what a closed one stood for is taken off the demand.
struct Resolved {
  Part part;
  Demand demand;
  int asked_for = 0;  // machines, by this plan's calls that no allowance was charged for yet
};
[[nodiscard]] Resolved resolve_launches(const Look& look, const PlannerMemory& memory, bool frozen,
                                        Demand demand);

// orphans.cpp
struct Orphans {
  Part part;
  std::map<std::string, Absence> unknown;  // for the next plan
};
[[nodiscard]] Orphans end_orphans(const Look& look, const PlannerMemory& memory);

// scale_in.cpp
[[nodiscard]] Part scale_in(const Look& look, const Classified& workers);

// scale_out.cpp: what is launched is added to the demand's figures.
struct Growth {
  Part part;
  Demand demand;
};
[[nodiscard]] Growth scale_out(const Look& look, const std::string& frozen, int asked_for, Demand demand);

// The first offering of the pool that is not muted; else nothing and, in `muted`, the mute that ends first.
struct OfferingChoice {
  std::optional<Offering> offering;
  const Mute* muted = nullptr;
};
[[nodiscard]] OfferingChoice choose_offering(const Observation& seen, const PoolSpec& pool);

}  // namespace drover::core
