#pragma once

#include <optional>
#include <string>

#include "drover/ports/change.hpp"
#include "drover/ports/rows.hpp"

namespace drover::ports {

// Refused: conflict (the name is taken, or the version is another), not_found.
struct PutPool {
  core::PoolSpec spec;
  bool create = false;                  // true: refused when the name is taken; false: when it is not
  std::optional<std::int64_t> version;  // must match when given
  std::string blocked_reason;  // non-empty: launches stop, and say this. Any edit by a user clears it.
  WallTime now;

  struct Answer {
    PoolRow pool;
  };
  static constexpr std::string_view kName = "put_pool";
  static constexpr Lane kLane = Lane::operators;
  static constexpr Decided kDecided = Decided::by_rows;
  static constexpr bool kWakesFleet = true;
  static constexpr bool kWritesEvent = true;
  [[nodiscard]] Keys keys() const { return key_of_pool(spec.name); }
};

}  // namespace drover::ports
