#pragma once

#include <map>
#include <set>
#include <string>

#include "look.hpp"

namespace drover::core {

// What the cloud says of a machine that has ended.
struct SeenEnd {
  std::string state_reason;  // the cloud's word; empty when it says nothing
  int absent_listings = 0;   // absent from so many and unknown by its id; 0: the cloud says that it ended
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

// What a worker is to the planner. Each is exactly one of these, found once, by the rules in categories.cpp;
// the steps of the plan go by it.
enum class Category {
  ended,         // its machine is no more
  asked_to_end,  // stored as terminating: its machine is to end
  taken_back,    // its interruption notice's time is long over, and the machine is still there
  noticed,       // it has an interruption notice: the cloud will end the machine
  unwanted,      // drained before it registered
  late,          // did not register in time
  starting,      // has not registered yet
  drained,       // has finished what it had
  draining,
  given_up,  // has said nothing for longer than is borne, and holds nothing
  silent,    // has said nothing for so long that its attempts, if it had any, are back in the queue
  idle,      // holds nothing
  busy,
};

struct Classified {
  std::map<WorkerId, Category> category;
  std::map<WorkerId, SteadyTime::duration> age;      // since this program first saw it
  std::map<WorkerId, SteadyTime::duration> silence;  // in this term of leadership
  Seconds borne{0};                                  // silence, before a worker is given up
};
[[nodiscard]] Classified classify_workers(const Look& look, const PlannerMemory& memory,
                                          const Sightings& sightings);

// Such a worker's machine takes jobs, now or soon.
[[nodiscard]] bool is_capacity(Category category);

}  // namespace drover::core
