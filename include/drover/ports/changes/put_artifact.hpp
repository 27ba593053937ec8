#pragma once

#include <string>

#include "drover/base/secret.hpp"
#include "drover/ports/artifact_store.hpp"
#include "drover/ports/change.hpp"

namespace drover::ports {

// The row of an artifact or checkpoint whose bytes are durable. Refused: stale, and too_large when the
// attempt has kArtifactsOfAttempt others; a checkpoint does not count.
struct PutArtifact {
  JobNumber job;
  int attempt = 0;
  Sha256 token_hash;  // of the open attempt
  std::string name;
  std::int64_t size = 0;
  Sha256 sha256;
  WallTime now;

  struct Answer {};
  static constexpr std::string_view kName = "put_artifact";
  static constexpr Lane kLane = Lane::workers;
  static constexpr Decided kDecided = Decided::by_rows;
  static constexpr bool kWakesFleet = false;
  static constexpr bool kWritesEvent = true;
  [[nodiscard]] Keys keys() const { return key_of(job); }
};

}  // namespace drover::ports
