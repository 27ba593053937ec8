#include "drover/core/health.hpp"

#include <algorithm>

namespace drover::core {
namespace {

struct Term {
  Seconds base;
  Seconds top;
};

// Capacity comes and goes by itself; the rest waits for a person, and asking costs calls.
Term term_of(RefusalScope scope) {
  switch (scope) {
    case RefusalScope::offering:
    case RefusalScope::subnet:
      return {Seconds{15}, Seconds{300}};
    case RefusalScope::market:
    case RefusalScope::pool:
    case RefusalScope::everything:
      return {Seconds{60}, Seconds{900}};
  }
  return {Seconds{15}, Seconds{300}};
}

void mute(Mute& entry, RefusalScope scope, SteadyTime now, const std::string& error) {
  const Term term = term_of(scope);
  ++entry.failures;
  entry.until = now + doubled(term.base, entry.failures, term.top);
  entry.error = error;
}

template <class Map, class Key>
const Mute* find_muted(const Map& map, const Key& key, SteadyTime now) {
  const auto it = map.find(key);
  return it != map.end() && now < it->second.until ? &it->second : nullptr;
}

}  // namespace

Seconds doubled(Seconds base, int failures, Seconds top) {
  Seconds delay = base;
  for (int i = 1; i < failures && delay < top; ++i) delay *= 2;
  return std::min(delay, top);
}

void CloudHealth::refused(RefusalScope scope, const Offering& offering, SteadyTime now,
                          const std::string& error) {
  switch (scope) {
    case RefusalScope::offering:
      return mute(offerings_[offering], scope, now, error);
    case RefusalScope::subnet:
      return mute(subnets_[offering.subnet], scope, now, error);
    case RefusalScope::market:
      return mute(markets_[offering.market], scope, now, error);
    case RefusalScope::pool:
      return mute(pools_[offering.pool], scope, now, error);
    case RefusalScope::everything:
      if (!everything_) everything_.emplace();
      return mute(*everything_, scope, now, error);
  }
}

void CloudHealth::worked(const Offering& offering) {
  offerings_.erase(offering);
  subnets_.erase(offering.subnet);
  markets_.erase(offering.market);
  pools_.erase(offering.pool);
  everything_.reset();
}

void CloudHealth::forget_pool(const std::string& pool) {
  pools_.erase(pool);
  std::erase_if(offerings_, [&](const auto& entry) { return entry.first.pool == pool; });
}

const Mute* CloudHealth::muted(const Offering& offering, SteadyTime now) const {
  if (everything_ && now < everything_->until) return &*everything_;
  if (const Mute* found = find_muted(markets_, offering.market, now)) return found;
  if (const Mute* found = find_muted(pools_, offering.pool, now)) return found;
  if (const Mute* found = find_muted(subnets_, offering.subnet, now)) return found;
  return find_muted(offerings_, offering, now);
}

}  // namespace drover::core
