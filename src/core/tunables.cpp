#include "drover/core/tunables.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <type_traits>
#include <variant>

#include "drover/base/json.hpp"
#include "drover/base/text.hpp"

namespace drover::core {
namespace {

using Member = std::variant<int Tunables::*, std::int64_t Tunables::*, double Tunables::*>;

constexpr std::array kTable{
    TunableInfo{"heartbeat_interval_s", "integer", 1, 60, "s",
                "How often a worker reports; also the longest that a stop or drain command waits."},
    TunableInfo{
        "lease_s", "integer", 5, 3600, "s",
        "An attempt whose worker is silent for this long goes back to the queue; the machine is replaced."},
    TunableInfo{"reconcile_interval_s", "integer", 1, 300, "s",
                "How often the fleet is compared with the cloud."},
    TunableInfo{"missing_listings", "integer", 1, 100, "",
                "Complete listings that must lack an instance before it counts as gone."},
    TunableInfo{"missing_s", "integer", 0, 3600, "s",
                "How long an instance must be absent at least before it counts as gone."},
    TunableInfo{"freeze_min", "integer", 0, 100'000, "",
                "More instances absent at once than this, and than freeze_share, freeze the fleet."},
    TunableInfo{"freeze_share", "number", 0, 1, "", "See freeze_min: a share of the fleet."},
    TunableInfo{"notice_poll_s", "integer", 1, 60, "s",
                "How often a worker asks for its interruption notice."},
    TunableInfo{"default_max_attempts", "integer", 1, 1000, "",
                "Failures allowed to a job that does not say itself."},
    TunableInfo{"max_launches_per_minute", "integer", 0, 100'000, "",
                "Instances asked for in a minute, over all pools; 0 launches nothing."},
    TunableInfo{
        "max_log_bytes", "integer", 1024, 1'099'511'627'776, "bytes",
        "Of each log of an attempt that are kept: what is written beyond leaves a gap in the middle."},
};
constexpr std::array<Member, kTable.size()> kMembers{
    &Tunables::heartbeat_interval_s,
    &Tunables::lease_s,
    &Tunables::reconcile_interval_s,
    &Tunables::missing_listings,
    &Tunables::missing_s,
    &Tunables::freeze_min,
    &Tunables::freeze_share,
    &Tunables::notice_poll_s,
    &Tunables::default_max_attempts,
    &Tunables::max_launches_per_minute,
    &Tunables::max_log_bytes,
};

std::string number_text(double value) {
  return Json(value).dump();
}

// 60, not 60.0: the bounds of the table are whole but for shares.
std::string bound_text(double value) {
  return value == std::floor(value) ? std::to_string(static_cast<long long>(value)) : number_text(value);
}

// A worker must be able to lose two heartbeats: with less the leases of healthy workers run out, and all that
// runs is begun anew for ever.
constexpr int kHeartbeatsPerLease = 3;

int least_lease(const Tunables& tunables) {
  return kHeartbeatsPerLease * tunables.heartbeat_interval_s;
}

Error refused(const TunableInfo& info) {
  std::string text = std::string(info.key) + " must be " +
                     (info.type == "integer" ? "an integer" : "a number") + " from " + bound_text(info.min) +
                     " to " + bound_text(info.max);
  if (!info.unit.empty()) text += " (" + std::string(info.unit) + ")";
  return invalid(std::string(info.key), text);
}

}  // namespace

std::span<const TunableInfo> tunable_table() {
  return kTable;
}

Status set_tunable(Tunables& tunables, std::string_view key, std::string_view json_text) {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    const TunableInfo& info = kTable[i];
    if (info.key != key) continue;
    const auto json = parse_json(json_text);
    if (!json.ok()) return refused(info);
    double storage = 0;
    const double* number = json->if_number(storage);
    if (number == nullptr || !(*number >= info.min && *number <= info.max)) return refused(info);
    const std::optional<std::int64_t> whole = json->whole();
    if (info.type == "integer" && !whole) return refused(info);
    std::visit(
        [&]<class T>(T Tunables::*member) {
          if constexpr (std::is_integral_v<T>) {
            tunables.*member = static_cast<T>(*whole);
          } else {
            tunables.*member = *number;
          }
        },
        kMembers[i]);
    return Ok{};
  }
  std::array<std::string_view, kTable.size()> keys;
  std::transform(kTable.begin(), kTable.end(), keys.begin(), [](const auto& info) { return info.key; });
  return invalid(std::string(key),
                 "there is no tunable \"" + std::string(key) + "\"" + what_there_is(key, keys));
}

Result<Tunables> changed_tunables(Tunables present, const std::map<std::string, std::string>& values) {
  for (const auto& [key, text] : values) {
    if (const Status set = set_tunable(present, key, text); !set.ok()) return set.error();
  }
  const std::string lease = std::to_string(present.lease_s);
  const std::string interval = std::to_string(present.heartbeat_interval_s);
  if (present.lease_s >= least_lease(present)) return present;
  if (values.contains("lease_s")) {
    return invalid("lease_s", "lease_s (" + lease + ") must be at least " +
                                  std::to_string(least_lease(present)) +
                                  ", three times heartbeat_interval_s (" + interval + ")");
  }
  return invalid("heartbeat_interval_s", "heartbeat_interval_s (" + interval +
                                             ") must be at most a third of lease_s (" + lease +
                                             "); raise that first, or both at once");
}

std::optional<std::string> settle_tunables(Tunables& tunables) {
  if (tunables.lease_s >= least_lease(tunables)) return std::nullopt;
  std::string said = "lease_s (" + std::to_string(tunables.lease_s) +
                     ") is less than three times heartbeat_interval_s (" +
                     std::to_string(tunables.heartbeat_interval_s) + ")";
  tunables.lease_s = least_lease(tunables);
  return said + ": " + std::to_string(tunables.lease_s) + " is used instead";
}

std::vector<std::pair<std::string, std::string>> tunable_values(const Tunables& tunables) {
  std::vector<std::pair<std::string, std::string>> values;
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    std::visit(
        [&]<class T>(T Tunables::*member) {
          if constexpr (std::is_integral_v<T>) {
            values.emplace_back(kTable[i].key, std::to_string(tunables.*member));
          } else {
            values.emplace_back(kTable[i].key, number_text(tunables.*member));
          }
        },
        kMembers[i]);
  }
  return values;
}

}  // namespace drover::core
