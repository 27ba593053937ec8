#include "drover/core/fleet/breakers.hpp"

#include "drover/core/backoff.hpp"
#include "drover/core/fleet/vcpu_limits.hpp"

namespace drover::core {
namespace {

void mute(Mute& entry, Refusal refusal, const Offering& offering, SteadyTime now, const CloudError& error) {
  // A refusal that only a person can lift is tried again rarely, because each try costs a call.
  const Seconds base{refusal.lasting ? 60 : 15};
  const Seconds top{refusal.lasting ? 900 : 300};
  ++entry.failures;
  entry.until = now + doubled(base, entry.failures, top);
  entry.lasting = refusal.lasting;
  entry.error = error;
  entry.instance_type = offering.instance_type;
}

template <class Map, class Key>
const Mute* find_muted(const Map& map, const Key& key, SteadyTime now) {
  const auto it = map.find(key);
  return it != map.end() && now < it->second.until ? &it->second : nullptr;
}

// A permission may be tied to types, subnets or tags, so that a refusal for one offering says nothing about
// others.
Refusal denied(const std::string& code) {
  using Scope = RefusalScope;
  if (code == "Blocked") return {Scope::everything, true};
  const bool no_spot = code == "AuthFailure.ServiceLinkedRoleCreationNotPermitted";
  return {no_spot ? Scope::market : Scope::offering, true};
}

}  // namespace

Reaction reaction_to(const CloudError& error, const Offering& offering) {
  using Class = CloudErrorClass;
  using Scope = RefusalScope;
  const std::string& code = error.code;
  switch (error.error_class) {
    case Class::pool:  // the price is the pool's own
      return {false, Refusal{code == "SpotMaxPriceTooLow" ? Scope::offering : Scope::capacity, false}, true};
    case Class::subnet:
      return {false, Refusal{Scope::subnet, false}, true};
    case Class::account:
      return {false, Refusal{Scope::quota, true}, true};
    case Class::config: {
      const bool no_subnet = code.starts_with("InvalidSubnet") && !offering.subnet.empty();
      return {false, Refusal{no_subnet ? Scope::subnet : Scope::offering, true}, true};
    }
    case Class::permission:
      return {false, denied(code), true};
    case Class::credentials:
      return {false, Refusal{Scope::everything, true}, true};
    case Class::idempotency:
      return {false, std::nullopt, false};
    case Class::throttle:
    case Class::transient:
    case Class::id:
    case Class::paging:
    case Class::protection:
    case Class::unknown:
      return {true, std::nullopt, false};
  }
  return {true, std::nullopt, false};
}

CloudHealth::CapacityKey CloudHealth::capacity_of(const Offering& offering) const {
  const auto zone = zones_.find(offering.subnet);
  return {offering.market, offering.instance_type, zone == zones_.end() ? offering.subnet : zone->second};
}

CloudHealth::QuotaKey CloudHealth::quota_of(const Offering& offering) {
  return {offering.market, vcpu_limit_group(offering.market, offering.instance_type)};
}

void CloudHealth::refused(Refusal refusal, const Offering& offering, SteadyTime now,
                          const CloudError& error) {
  switch (refusal.scope) {
    case RefusalScope::capacity:
      return mute(capacities_[capacity_of(offering)], refusal, offering, now, error);
    case RefusalScope::subnet:
      return mute(subnets_[offering.subnet], refusal, offering, now, error);
    case RefusalScope::quota:
      return mute(quotas_[quota_of(offering)], refusal, offering, now, error);
    case RefusalScope::offering:
      return mute(offerings_[offering], refusal, offering, now, error);
    case RefusalScope::market:
      return mute(markets_[offering.market], refusal, offering, now, error);
    case RefusalScope::everything:
      if (!everything_) everything_.emplace();
      return mute(*everything_, refusal, offering, now, error);
  }
}

void CloudHealth::worked(const Offering& offering, const std::string& zone) {
  capacities_.erase(capacity_of(offering));
  if (!offering.subnet.empty() && !zone.empty()) zones_[offering.subnet] = zone;
  capacities_.erase(capacity_of(offering));
  subnets_.erase(offering.subnet);
  quotas_.erase(quota_of(offering));
  offerings_.erase(offering);
  markets_.erase(offering.market);
  everything_.reset();
}

void CloudHealth::forget_pool(const std::string& pool) {
  std::erase_if(offerings_, [&](const auto& entry) { return entry.first.pool == pool; });
}

const Mute* CloudHealth::muted(const Offering& offering, SteadyTime now) const {
  if (everything_ && now < everything_->until) return &*everything_;
  if (const Mute* found = find_muted(markets_, offering.market, now)) return found;
  if (const Mute* found = find_muted(quotas_, quota_of(offering), now)) return found;
  if (const Mute* found = find_muted(subnets_, offering.subnet, now)) return found;
  if (const Mute* found = find_muted(capacities_, capacity_of(offering), now)) return found;
  return find_muted(offerings_, offering, now);
}

}  // namespace drover::core
