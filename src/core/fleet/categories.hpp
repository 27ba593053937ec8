#pragma once

#include <map>
#include <set>
#include <string>

#include "drover/core/fleet/worker_rules.hpp"

#include "look.hpp"

namespace drover::core {

// What the cloud says of a machine that has ended.
struct SeenEnd {
  std::string state_reason;  // the cloud's word; empty when it says nothing
  // Listings that lacked the machine, its id unknown to the cloud; 0: the cloud says that it ended.
  int absent_listings = 0;
};

// The stored workers beside the cloud's listing.
struct Sightings {
  std::map<WorkerId, SeenEnd> ended;
  std::map<WorkerId, Absence> absent;  // kept for the next plan
  std::set<WorkerId> listed;
  std::string frozen;  // non-empty: too many are absent at once, so that absence decides nothing
  int fleet = 0;       // judged workers that are not asked to end
  Part part;
};
[[nodiscard]] Sightings compare_with_listing(const Look& look, const PlannerMemory& memory);

// Each worker's category by the rules of worker_rules.hpp, determined once so that all steps of a plan agree.
struct Classified {
  std::map<WorkerId, WorkerFacts> facts;
  std::map<WorkerId, Category> category;
  Seconds borne{0};  // a worker that is silent for this long is given up
};
[[nodiscard]] Classified classify_workers(const Look& look, const PlannerMemory& memory,
                                          const Sightings& sightings);

}  // namespace drover::core
