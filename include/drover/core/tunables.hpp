#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/result.hpp"

namespace drover::core {

// What an operator changes at run time (GET|PUT|PATCH /config); stored in table `setting`, one flat object.
struct Tunables {
  int heartbeat_interval_s = 5;
  int lease_s = 60;  // an attempt without a heartbeat for this long goes back to the queue
  int reconcile_interval_s = 10;
  int missing_listings = 3;  // complete listings that must lack an instance before it counts as gone …
  int missing_s = 60;        // … and for at least this long
  int freeze_min = 3;        // more absent instances than max(this, share of the fleet) freeze the loop
  double freeze_share = 0.3;
  int notice_poll_s = 2;                     // how often a worker asks for its interruption notice
  int default_max_attempts = 1;              // of a job that does not say
  int max_launches_per_minute = 60;          // instances, over all pools
  std::int64_t max_log_bytes = 268'435'456;  // of each stream of an attempt
  bool operator==(const Tunables&) const = default;
};

struct TunableInfo {
  std::string_view key;
  std::string_view type;  // "integer" or "number"
  double min = 0;
  double max = 0;
  std::string_view unit;
  std::string_view help;
};

// One entry a member of Tunables, in order.
std::span<const TunableInfo> tunable_table();
// Sets one member from JSON text ("5", "0.3"); invalid, naming the key and what is allowed, otherwise.
Status set_tunable(Tunables& tunables, std::string_view key, std::string_view json_text);
// `present` with `values` (key, JSON text) set. invalid, and nothing else, when one of them is refused or
// they contradict each other or what is present; the field is a key of `values`.
Result<Tunables> changed_tunables(Tunables present, const std::map<std::string, std::string>& values);
// Raises lease_s where it is too short for heartbeat_interval_s, as values may be that an earlier version
// stored without looking. Returns a sentence that says what was done, or nothing.
std::optional<std::string> settle_tunables(Tunables& tunables);
// All members as (key, JSON text), in the table's order.
std::vector<std::pair<std::string, std::string>> tunable_values(const Tunables& tunables);

}  // namespace drover::core
