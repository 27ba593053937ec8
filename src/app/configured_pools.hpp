#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/core/fleet/facts.hpp"
#include "drover/engine/engine.hpp"

namespace drover::app {

// The [[pool]] tables of the configuration. Those that do not exist yet are made; one that exists is left as
// it is, so that the file does not undo what was changed over the API. It must outlive the engine, whose
// answers it keeps. replace() and make() are for one thread; missing() is for any.
class ConfiguredPools {
 public:
  ConfiguredPools(std::vector<core::PoolSpec> pools, const Clock& clock);
  void replace(std::vector<core::PoolSpec> pools);
  // Asks for what `view`, a leader's, does not show. Called again and again: what was refused is asked again.
  void make(engine::Engine& engine, const engine::EngineView& view);
  // Why a daemon that has started is not ready: a pool that it was started with is not made yet. Empty once
  // all were there, also when replace() has brought new ones.
  [[nodiscard]] std::string missing() const;

 private:
  void answered(const std::string& name, const Result<ports::PutPool::Answer>& done);

  std::vector<core::PoolSpec> pools_;
  const Clock& clock_;
  bool complete_ = false;      // all of pools_ were seen
  std::atomic<int> asked_{0};  // unanswered
  mutable std::mutex mutex_;   // of what follows
  bool started_ = false;       // all that the daemon was started with were seen
  std::string refusal_;        // the last
};

}  // namespace drover::app
