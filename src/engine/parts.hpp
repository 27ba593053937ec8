#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "drover/engine/engine.hpp"

#include "counting.hpp"
#include "feed.hpp"
#include "numbers.hpp"
#include "pipeline.hpp"
#include "state.hpp"
#include "term.hpp"
#include "waiters.hpp"

namespace drover::engine {

// The claims made for one poll in one batch; answered together.
struct ClaimGroup {
  Waiter waiter;
  int outstanding = 0;
  ClaimAnswer answer;
};

// What the engine's thread works on. The functions that do are by subject: claims, leases, suspects,
// changes/, upkeep/; round.cpp calls them in order.
struct Parts {
  Parts(const Clock& the_clock, const EngineOptions& the_options, const Contact& contact);

  const Clock& clock;
  const EngineOptions& options;
  State state;
  Term term;
  Feed feed;
  Pipeline pipeline;
  Waiters waiters;
  Numbers numbers;
  Counting counting;
  // By worker, the poll for which claims are under way.
  std::map<WorkerId, std::shared_ptr<ClaimGroup>> claiming;
  SteadyTime claims_from{};  // nothing is claimed before: the store had no room
  // Queues whose keys in memory may not be the store's.
  std::set<std::string> to_rescan;
  std::vector<KeysWanted> keys_wanted;  // to be asked for
  std::vector<KeysRead> keys_read;      // to be taken over between two batches
  std::uint64_t readings = 0;
  SteadyTime keys_from{};    // nothing is read before: the last try failed …
  std::string keys_trouble;  // … for this reason, which has been logged
  // By queue, the suspect that every worker which asked would have had to take next, and since when.
  std::map<std::string, std::pair<core::ReadyKey, SteadyTime>> waiting_suspects;
  bool partitions_wanted = false;
};

}  // namespace drover::engine
