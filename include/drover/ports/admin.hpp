#pragma once

#include "drover/base/clock.hpp"
#include "drover/base/result.hpp"

namespace drover::ports {

// What changes tables rather than rows, each call on a connection of its own. Blocking; a call may take
// minutes.
class Admin {
 public:
  virtual ~Admin() = default;
  // Brings the schema up to date under a lock. Refuses (conflict) a database that is newer or whose applied
  // migrations differ.
  virtual Result<int> migrate() = 0;  // migrations applied
  // Tables for the coming days. Rows of a day without tables go into one table for all days; a batch with
  // such rows that is committed meanwhile is refused (unavailable).
  virtual Status make_partitions(WallTime now) = 0;
};

}  // namespace drover::ports
