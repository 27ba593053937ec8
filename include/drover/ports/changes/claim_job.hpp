#pragma once

#include <string>

#include "drover/ports/change.hpp"
#include "drover/ports/rows.hpp"

namespace drover::ports {

// Inserts a lease: the job must be alive, stored `queued`, due and without a lease; the worker must be
// active.
struct ClaimJob {
  JobNumber job;
  WorkerId worker;
  std::string nonce;
  Secret worker_token;  // the attempt's is derived from it when the attempt's number is known: see tokens.hpp
  WallTime started;

  struct Answer {
    OpenAttempt attempt;
  };
  static constexpr std::string_view kName = "claim_job";
  static constexpr Lane kLane = Lane::workers;
  static constexpr Decided kDecided = Decided::by_memory;
  static constexpr bool kWakesFleet = false;
  static constexpr bool kWritesEvent = true;
  [[nodiscard]] Keys keys() const { return key_of(job); }
};

}  // namespace drover::ports
