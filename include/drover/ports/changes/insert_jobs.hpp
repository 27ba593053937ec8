#pragma once

#include <vector>

#include "drover/core/job/job.hpp"
#include "drover/ports/change.hpp"

namespace drover::ports {

struct NewJob {
  JobNumber number;  // reserved by LeaderSession::reserve_numbers
  Uuid id;
  core::JobSpec spec;
  WallTime created;
};

// All of them or none.
struct InsertJobs {
  std::vector<NewJob> jobs;

  struct Answer {};
  static constexpr std::string_view kName = "insert_jobs";
  static constexpr Lane kLane = Lane::submissions;
  static constexpr Decided kDecided = Decided::by_memory;
  static constexpr bool kWakesFleet = false;
  static constexpr bool kWritesEvent = true;
  [[nodiscard]] Keys keys() const { return {}; }
};

}  // namespace drover::ports
