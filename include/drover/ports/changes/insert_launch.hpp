#pragma once

#include <cstdint>
#include <string>

#include "drover/ports/change.hpp"
#include "drover/ports/rows.hpp"

namespace drover::ports {

// An intent. `request.user_data` holds kBootstrapPlaceholder where the token goes: the token is derived,
// never stored. Refused: conflict (no such pool, or the client token is in use).
struct InsertLaunch {
  PoolId pool;
  core::LaunchRequest request;
  Sha256 bootstrap_hash;  // SHA-256 of bootstrap_token(deployment secret, request.client_token)
  std::string reason;
  WallTime now;
  // Of the plan that wants it: refused by the engine (conflict) in another term of leadership, and when the
  // pool was edited since. 0: whatever they are.
  std::int64_t epoch = 0;
  std::int64_t pool_version = 0;

  struct Answer {
    LaunchId launch;
  };
  static constexpr std::string_view kName = "insert_launch";
  static constexpr Lane kLane = Lane::system;
  static constexpr Decided kDecided = Decided::by_memory;
  static constexpr bool kWakesFleet = false;
  static constexpr bool kWritesEvent = true;
  [[nodiscard]] Keys keys() const { return {}; }
};

}  // namespace drover::ports
