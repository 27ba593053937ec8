#pragma once

#include <functional>
#include <memory>
#include <string>

#include "drover/services/explain.hpp"
#include "drover/services/jobs.hpp"
#include "drover/services/pools.hpp"
#include "drover/services/scheduler.hpp"
#include "drover/services/workers.hpp"

namespace drover::services {

// All services, for those who serve callers.
struct Services {
  std::unique_ptr<Jobs> jobs;
  std::unique_ptr<Explain> explain;
  std::unique_ptr<Pools> pools;
  std::unique_ptr<Workers> workers;
  std::unique_ptr<Scheduler> scheduler;
};

struct ServiceParts {
  engine::Engine& engine;
  ports::Reads& reads;
  ports::ArtifactStore& artifacts;
  const Clock& clock;
  const ports::FleetBoard* board = nullptr;   // absent: there are no notes on the fleet
  std::function<std::string()> unready = {};  // why a leader is not ready; empty: it is. Thread-safe
};

// Over an engine and a store, which must outlive them.
Services make_services(const ServiceParts& parts);

}  // namespace drover::services
