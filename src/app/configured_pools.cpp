#include "configured_pools.hpp"

#include <algorithm>
#include <utility>

#include "drover/base/log.hpp"

namespace drover::app {

ConfiguredPools::ConfiguredPools(std::vector<core::PoolSpec> pools, const Clock& clock)
    : pools_(std::move(pools)), clock_(clock) {}

void ConfiguredPools::replace(std::vector<core::PoolSpec> pools) {
  pools_ = std::move(pools);
  complete_ = false;
}

void ConfiguredPools::make(engine::Engine& engine, const engine::EngineView& view) {
  if (complete_ || asked_ > 0) return;
  complete_ = true;
  for (const core::PoolSpec& pool : pools_) {
    if (std::any_of(view.pools.begin(), view.pools.end(),
                    [&](const ports::PoolRow& row) { return row.spec.name == pool.name; })) {
      continue;
    }
    complete_ = false;
    ports::PutPool put;
    put.spec = pool;
    put.create = true;
    put.now = clock_.wall();
    ++asked_;
    engine.apply(
        put, [this, name = pool.name](const Result<ports::PutPool::Answer>& done) { answered(name, done); });
  }
  if (!complete_) return;
  const std::lock_guard lock(mutex_);
  started_ = true;
}

std::string ConfiguredPools::missing() const {
  const std::lock_guard lock(mutex_);
  if (started_) return {};
  return "the pools of the configuration are not made yet" + (refusal_.empty() ? "" : ": " + refusal_);
}

void ConfiguredPools::answered(const std::string& name, const Result<ports::PutPool::Answer>& done) {
  if (done.ok()) {
    log_info("made pool {}", name);
  } else if (done.error().code != Errc::conflict) {  // a conflict: somebody else has made it just now
    const std::string refusal = fmt::format("pool {} was not made: {}", name, done.error().message);
    const std::lock_guard lock(mutex_);
    if (std::exchange(refusal_, refusal) != refusal) log_warn("{}", refusal);
  }
  --asked_;
}

}  // namespace drover::app
