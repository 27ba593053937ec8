#include "configured_pools.hpp"

#include <algorithm>
#include <utility>

#include "drover/base/log.hpp"
#include "drover/core/backoff.hpp"

namespace drover::app {
namespace {

constexpr Seconds kFirstPause{1};
constexpr Seconds kLongestPause{60};

}  // namespace

ConfiguredPools::ConfiguredPools(std::vector<core::PoolSpec> pools, const Clock& clock)
    : pools_(std::move(pools)), clock_(clock) {}

void ConfiguredPools::replace(std::vector<core::PoolSpec> pools) {
  pools_ = std::move(pools);
  complete_ = false;
  const std::lock_guard lock(mutex_);
  std::erase_if(tries_, [](const auto& entry) { return !entry.second.unanswered; });
}

void ConfiguredPools::make(const Create& create, const engine::EngineView& view) {
  if (complete_) return;
  complete_ = true;
  for (const core::PoolSpec& pool : pools_) {
    if (std::any_of(view.pools.begin(), view.pools.end(),
                    [&](const ports::PoolRow& row) { return row.spec.name == pool.name; })) {
      continue;
    }
    complete_ = false;
    if (!may_ask(pool.name)) continue;
    create(pool, [this, name = pool.name](const Result<services::PoolPut>& done) { answered(name, done); });
  }
  if (!complete_) return;
  const std::lock_guard lock(mutex_);
  started_ = true;
  tries_.clear();
}

std::string ConfiguredPools::missing() const {
  const std::lock_guard lock(mutex_);
  if (started_) return {};
  std::string text = "the pools of the configuration are not made yet";
  for (const auto& [name, entry] : tries_) {
    if (!entry.refusal.empty()) return text + ": " + entry.refusal;
  }
  return text;
}

bool ConfiguredPools::may_ask(const std::string& name) {
  const std::lock_guard lock(mutex_);
  Try& entry = tries_[name];
  if (entry.unanswered || clock_.steady() < entry.next) return false;
  entry.unanswered = true;
  return true;
}

void ConfiguredPools::answered(const std::string& name, const Result<services::PoolPut>& done) {
  const std::lock_guard lock(mutex_);
  Try& entry = tries_[name];
  entry.unanswered = false;
  if (done.ok()) {
    log_info("made pool {}", name);
    entry = {};
    return;
  }
  entry.next = clock_.steady() + core::doubled(kFirstPause, ++entry.refusals, kLongestPause);
  if (done.error().code == Errc::conflict) return;  // a client has made it just now
  std::string refusal = fmt::format("pool {} was not made: {}", name, done.error().message);
  if (entry.refusal == refusal) return;
  log_warn("{}", refusal);
  entry.refusal = std::move(refusal);
}

}  // namespace drover::app
