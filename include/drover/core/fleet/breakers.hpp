#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "drover/base/clock.hpp"
#include "drover/core/fleet/cloud_error.hpp"
#include "drover/core/fleet/facts.hpp"

namespace drover::core {

// One way to get a machine.
struct Offering {
  std::string pool;
  std::string instance_type;
  std::string subnet;  // may be empty
  Market market = Market::spot;
  auto operator<=>(const Offering&) const = default;
};

// What a refusal of the cloud covers.
enum class RefusalScope {
  capacity,   // this type, market and zone, whichever pool asks
  subnet,     // every launch into this subnet
  quota,      // this market and the group of families that share its vCPU limit
  offering,   // this pool's template with this type, subnet and market
  market,     // all of it
  everything  // the account
};
struct Refusal {
  RefusalScope scope = RefusalScope::offering;
  bool lasting = false;  // only a person can lift it
  bool operator==(const Refusal&) const = default;
};

// What to do about a launch that the cloud refused.
struct Reaction {
  bool repeat = false;  // keep the intent: the same token again, later
  std::optional<Refusal> mute;
  bool again = false;  // plan again at once: another offering may do, or what is refused is to be told
};
[[nodiscard]] Reaction reaction_to(const CloudError& error, const Offering& offering);

// Something the cloud refused is left alone until `until`.
struct Mute {
  int failures = 0;  // in a row
  SteadyTime until;
  bool lasting = false;
  CloudError error;           // the last
  std::string instance_type;  // that was asked for last
  bool operator==(const Mute&) const = default;
};

// The circuit breakers of launching. A refusal that passes by itself (no capacity, no free address) mutes for
// 15 s, doubled each time in a row up to 5 min; one that only a person can lift from 1 min up to 15 min. A
// plain value: nothing is stored, so a restarted daemon asks again.
class CloudHealth {
 public:
  void refused(Refusal refusal, const Offering& offering, SteadyTime now, const CloudError& error);
  // The cloud gave machines of the offering, in `zone`: every mute that covers the offering is lifted. Which
  // zone a subnet lies in is learnt here; until then the subnet stands for its zone.
  void worked(const Offering& offering, const std::string& zone);
  // The pool was edited: what was wrong with its template may be right now.
  void forget_pool(const std::string& pool);

  // The widest mute that covers the offering at `now`; nullptr when it may be asked.
  [[nodiscard]] const Mute* muted(const Offering& offering, SteadyTime now) const;

 private:
  using CapacityKey = std::tuple<Market, std::string, std::string>;  // type, zone
  using QuotaKey = std::pair<Market, std::string>;                   // group of families
  [[nodiscard]] CapacityKey capacity_of(const Offering& offering) const;
  [[nodiscard]] static QuotaKey quota_of(const Offering& offering);

  std::map<std::string, std::string> zones_;  // by subnet
  std::map<CapacityKey, Mute> capacities_;
  std::map<std::string, Mute> subnets_;
  std::map<QuotaKey, Mute> quotas_;
  std::map<Offering, Mute> offerings_;
  std::map<Market, Mute> markets_;
  std::optional<Mute> everything_;
};

}  // namespace drover::core
