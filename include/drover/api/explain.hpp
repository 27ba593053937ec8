#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drover/api/api.hpp"
#include "drover/base/json.hpp"

namespace drover::api {

struct ExplainInput {
  ports::JobRow job;
  std::optional<engine::EngineView> view;  // of jobs that are queued
  ports::FleetNotes notes;
  std::optional<engine::JobPlace> place;
  WallTime now;
};

// Why a job is where it is: {"number", "state", "summary", "reasons": [{"code", "message", …}]}. The first
// reason is the one that has to go first. Pure.
Json explain_job(const ExplainInput& input);

}  // namespace drover::api
