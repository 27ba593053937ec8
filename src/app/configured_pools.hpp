#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/core/fleet/facts.hpp"
#include "drover/services/pools.hpp"

namespace drover::app {

// The [[pool]] tables of the configuration. Those that do not exist yet are made; one that exists is left as
// it is, so that the file does not undo what was changed over the API. It must outlive the engine, whose
// answers it keeps. replace() and make() are for one thread; missing() is for any.
class ConfiguredPools {
 public:
  // Has a pool made that is not there; the answer may come on any thread.
  using Create = std::function<void(core::PoolSpec, engine::Done<services::PoolPut>)>;

  ConfiguredPools(std::vector<core::PoolSpec> pools, const Clock& clock);
  void replace(std::vector<core::PoolSpec> pools);
  // Asks for what `view`, a leader's, does not show. Called again and again: a pool that was refused is asked
  // for again after a second, then after twice as long each time, up to a minute.
  void make(const Create& create, const engine::EngineView& view);
  // Why a daemon that has started is not ready: a pool that it was started with is not made yet. Empty once
  // all were there, also when replace() has brought new ones.
  [[nodiscard]] std::string missing() const;

 private:
  // A pool that does not exist yet.
  struct Try {
    bool unanswered = false;
    int refusals = 0;  // in a row
    SteadyTime next;   // not asked for before
    std::string refusal;
  };
  bool may_ask(const std::string& name);
  void answered(const std::string& name, const Result<services::PoolPut>& done);

  std::vector<core::PoolSpec> pools_;
  const Clock& clock_;
  bool complete_ = false;             // all of pools_ were seen
  mutable std::mutex mutex_;          // of what follows
  std::map<std::string, Try> tries_;  // by name
  bool started_ = false;              // all pools of the daemon's start were seen
};

}  // namespace drover::app
