#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "drover/ports/leader_session.hpp"
#include "drover/ports/reads.hpp"

// What the engine's thread asks of the writer and of those who read beside it, and what they tell.
namespace drover::engine {

// One batch, and what else the leader's session is asked for at the same turn, after the batch is committed.
// At most one order is under way.
struct Order {
  std::vector<ports::Change> changes;
  int numbers = 0;                                                // of jobs, to be reserved
  std::optional<std::pair<JobNumber, std::int64_t>> unused = {};  // of those reserved: first and count
  bool count = false;  // the ready jobs, from here on: see CountOpen
  bool ping = false;
  [[nodiscard]] bool empty() const { return changes.empty() && numbers == 0 && !unused && !count && !ping; }
};

// Its transaction's COMMIT was not answered: Resolved tells of it later.
struct InDoubt {};
// How a change of an order went: committed (or refused by its own precondition), not carried out, or in
// doubt.
using Fate = std::variant<ports::Settled, Error, InDoubt>;

struct OrderDone {
  std::vector<ports::Change> changes;  // as in the order
  std::vector<Fate> fates;             // of each
  JobNumber first_number{0};
  int numbers = 0;
  bool count_begun = false;
};
// A term of leadership begins.
struct Led {
  ports::BootState state;
};
// A try to lead failed.
struct NotLed {
  std::string why;
  bool reachable = false;  // the store answered
};
// The session is lost, and with it the term. What was under way has been told of before.
struct Lost {
  std::string why;
};
// What became of the changes in doubt. Told before the next term begins.
struct Resolved {
  bool committed = false;
  std::vector<ports::Settled> settled;  // if so: how each went, in their order
};
// The connection for counting the ready jobs of the term of this epoch is there. An order is to begin the
// count, so that the engine knows which batches are in it.
struct CountOpen {
  std::int64_t epoch = 0;
};
// What was counted, or why it was not.
struct Counted {
  std::int64_t epoch = 0;
  Result<std::vector<ports::QueueDepth>> depths;
};
// Ready keys that memory lacks are read beside the batches, on a connection of their own.
struct KeysWanted {
  ports::ReadyQuestion question;
  bool anew = false;          // in the place of all that memory holds of the queue
  std::uint64_t reading = 0;  // its number in the index that lacks them
  std::int64_t epoch = 0;     // of the term that asks
};
struct KeysRead {
  KeysWanted wanted;
  Result<ports::ReadyAnswer> answer;
};
using News = std::variant<Led, NotLed, Lost, OrderDone, Resolved, CountOpen, Counted, KeysRead>;

}  // namespace drover::engine
