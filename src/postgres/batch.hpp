#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "drover/ports/changes.hpp"

#include "connection.hpp"

namespace drover::postgres {

// One transaction of the writer, without its COMMIT: the changes, how each went, and what tells afterwards
// whether it was committed.
struct Batch {
  Connection& connection;
  std::int64_t epoch;
  std::int64_t& last_event;  // the leader numbers events itself, since nobody else writes any
  std::span<const ports::Change> changes;
  std::vector<ports::Settled> settled = {};
  std::string xid = {};
  std::int64_t mark = 0;  // an event that this batch writes for certain; 0: none

  // Numbers for up to `count` events, from the answer + 1. Those not used are skipped for ever.
  std::int64_t reserve_events(std::size_t count) {
    const std::int64_t base = last_event;
    last_event += static_cast<std::int64_t>(count);
    return base;
  }
  void wrote_event_after(std::int64_t base) {
    if (mark == 0) mark = base + 1;
  }
};

// Begins the transaction and writes all changes of the batch, each kind in sets, in a few round trips. An
// Error: the transaction is to be rolled back.
Status write(Batch& batch);

}  // namespace drover::postgres
