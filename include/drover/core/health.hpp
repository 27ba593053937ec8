#pragma once

#include <map>
#include <optional>
#include <string>

#include "drover/base/clock.hpp"
#include "drover/core/fleet.hpp"

namespace drover::core {

// One way to get a machine: what a capacity error is about.
struct Offering {
  std::string pool;
  std::string instance_type;
  std::string subnet;  // may be empty
  Market market = Market::spot;
  auto operator<=>(const Offering&) const = default;
};

// What a refusal of the cloud covers, from narrow to wide.
enum class RefusalScope { offering, subnet, market, pool, everything };

// Something the cloud refused is left alone until `until`.
struct Mute {
  int failures = 0;  // in a row
  SteadyTime until;
  std::string error;  // "<class>/<code>: message"
  bool operator==(const Mute&) const = default;
};

// The circuit breakers of launching. A capacity refusal mutes for 15 s, doubled each time in a row up to 5
// min; a refusal that only a person can lift (quota, permission, template) from 1 min up to 15 min. A plain
// value: nothing is stored, so a restarted daemon asks again.
class CloudHealth {
 public:
  void refused(RefusalScope scope, const Offering& offering, SteadyTime now, const std::string& error);
  // The offering gave machines: all that covers it is well again.
  void worked(const Offering& offering);
  // The pool was edited: what was wrong with its template may be right now.
  void forget_pool(const std::string& pool);

  // The widest mute that covers the offering at `now`; nullptr when it may be asked.
  [[nodiscard]] const Mute* muted(const Offering& offering, SteadyTime now) const;

 private:
  std::map<Offering, Mute> offerings_;
  std::map<std::string, Mute> subnets_;
  std::map<Market, Mute> markets_;
  std::map<std::string, Mute> pools_;
  std::optional<Mute> everything_;
};

// base * 2^(failures-1), at most `top`. failures >= 1.
[[nodiscard]] Seconds doubled(Seconds base, int failures, Seconds top);

}  // namespace drover::core
