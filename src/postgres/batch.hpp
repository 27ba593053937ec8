#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "drover/ports/commands.hpp"

#include "connection.hpp"

namespace drover::postgres {

// One transaction of the committer, without its COMMIT: the commands, what each answers, and what tells
// afterwards whether it was committed.
struct Batch {
  Connection& connection;
  std::int64_t epoch;
  std::int64_t& last_event;  // events are numbered here, not by a sequence: nobody else writes them
  std::span<const ports::Command> commands;
  std::vector<ports::Outcome> outcomes =
      std::vector<ports::Outcome>(commands.size(), ports::Outcome(ports::Applied(Ok{})));
  std::string xid = {};
  std::int64_t mark = 0;               // an event that this batch writes for certain; 0: none
  std::vector<Statement> events = {};  // of single commands, written last

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

// Inserts, ends, changes and claims: set-based, in two round trips (three when something has to be looked
// up). Begins the transaction. An Error: the transaction is to be rolled back.
Status write_jobs(Batch& batch);
// All other commands. An Error: the transaction is to be rolled back.
Status write_fleet(Batch& batch);

}  // namespace drover::postgres
