#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "drover/ports/store.hpp"

// What the engine's thread asks of the writer, and what the writer tells it.
namespace drover::engine {

// Ready keys that memory lacks.
struct KeysWanted {
  std::string queue;
  bool suspects = false;
  bool anew = false;                         // all of memory's keys of the queue are to be replaced
  std::optional<core::ReadyKey> after = {};  // memory's cursor when they were asked for
};
struct KeysFound {
  KeysWanted wanted;
  std::vector<core::ReadyKey> keys;
  bool exhausted = false;  // there are none beyond these
};

// One batch, and what else the leader's session is asked for at the same turn, after the batch is committed:
// so that keys are as they are with all of it. At most one order is under way.
struct Order {
  std::vector<ports::Change> changes;
  std::vector<KeysWanted> keys;
  int numbers = 0;                                                // of jobs, to be reserved
  std::optional<std::pair<JobNumber, std::int64_t>> unused = {};  // of those reserved: first and count
  bool count = false;  // the ready jobs, from here on: see CountOpen
  bool partitions = false;
  bool ping = false;
  [[nodiscard]] bool empty() const {
    return changes.empty() && keys.empty() && numbers == 0 && !unused && !count && !partitions && !ping;
  }
};

// Its transaction's COMMIT was not answered: Resolved tells of it later.
struct InDoubt {};
// How a change of an order went: committed (or refused by its own precondition), not carried out, or in
// doubt.
using Fate = std::variant<ports::Settled, Error, InDoubt>;

struct OrderDone {
  std::vector<ports::Change> changes;  // as in the order
  std::vector<Fate> fates;             // of each
  std::vector<KeysFound> keys;
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
// What became of the changes in doubt; before the next term begins.
struct Resolved {
  bool committed = false;
  std::vector<ports::Settled> settled;  // if so: how each went, in their order
};
// The connection for counting the ready jobs of the term of this epoch is there. An order is to say when the
// count begins, so that it is known which batches are in it.
struct CountOpen {
  std::int64_t epoch = 0;
};
// What was counted, or why it was not.
struct Counted {
  std::int64_t epoch = 0;
  Result<std::vector<ports::QueueDepth>> depths;
};
using News = std::variant<Led, NotLed, Lost, OrderDone, Resolved, CountOpen, Counted>;

}  // namespace drover::engine
