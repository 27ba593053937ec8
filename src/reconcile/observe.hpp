#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drover/core/fleet/plan.hpp"
#include "drover/engine/engine.hpp"
#include "drover/ports/reads.hpp"

namespace drover::reconcile {

// What one tick saw, in the order in which it looked.
struct Sight {
  ports::FleetSnapshot before;                         // A
  std::optional<std::vector<core::Instance>> listing;  // asked for after A
  core::CloudError listing_error;
  ports::FleetSnapshot after;  // B, read after the listing
  engine::EngineView view;     // memory, asked for after B
};

// What the planner is shown of it. The caller fills in time, health, memory and outcomes. Pure.
core::Observation observe(Sight sight);

// Are there machines that a listing could show?
bool wants_listing(const engine::EngineView& view, const ports::FleetSnapshot& before);
// Instance ids that the listing by tag does not hold: those of workers of `asg` pools.
std::vector<std::string> ids_to_list(const engine::EngineView& view, const ports::FleetSnapshot& before);

}  // namespace drover::reconcile
