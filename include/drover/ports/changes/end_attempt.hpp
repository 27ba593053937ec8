#pragma once

#include <optional>
#include <string>

#include "drover/core/job/retry.hpp"
#include "drover/ports/change.hpp"
#include "drover/ports/rows.hpp"

namespace drover::ports {

// Ends the open attempt if the lease has this number and, when `token_hash` is given, this token. Refused:
// stale (it is not open, or ended otherwise), not_found (no such job).
struct EndAttempt {
  JobNumber job;
  int attempt = 0;
  std::optional<Sha256> token_hash;  // absent: the leader ends it (lease expired, worker lost)
  core::Outcome outcome = core::Outcome::succeeded;
  // Its worker gave it back; the engine decides whether that is an interruption or infra.
  bool released = false;
  std::optional<int> exit_code;
  std::optional<int> signal;
  std::string reason;
  // Decided by core::decide_end from what memory holds of this lease. Absent: memory has no such lease. Then
  // nothing is ended, even if the store has one (somebody wrote it by hand); a repeated report is recognised.
  std::optional<core::Disposition> disposition;
  WallTime now;

  struct Answer {
    bool repeated = false;  // the same report had been accepted before
    core::JobState state = core::JobState::queued;
    std::string queue;
    core::ReadyKey key;
    std::optional<WallTime> wake_at;
  };
  static constexpr std::string_view kName = "end_attempt";
  static constexpr Lane kLane = Lane::workers;
  static constexpr Decided kDecided = Decided::by_memory;
  static constexpr bool kWakesFleet = false;
  static constexpr bool kWritesEvent = true;
  [[nodiscard]] Keys keys() const { return key_of(job); }
};

}  // namespace drover::ports
