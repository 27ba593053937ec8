#pragma once

#include <string>
#include <utility>
#include <vector>

#include "drover/core/fleet/plan.hpp"

// Small fleets for the planner's tests, written as sentences.
namespace drover::core::testing {

inline const std::string kDeployment = "11111111-2222-4333-8444-555555555555";

inline std::string instance_id(std::int64_t number) {
  const std::string digits = std::to_string(number);
  return "i-" + std::string(digits.size() < 8 ? 8 - digits.size() : 0, '0') + digits;
}

class Fleet {
 public:
  Fleet() {
    seen.now = WallTime{Seconds{1'700'000'000}};
    seen.steady = SteadyTime{Seconds{50'000}};
    seen.leading = true;
    seen.deployment = kDeployment;
    seen.listing.emplace();
  }

  PoolSpec& pool(const std::string& name, int max, int min = 0) {
    PoolView view;
    view.spec.name = name;
    view.spec.max = max;
    view.spec.min = min;
    view.spec.image = "ami-1";
    view.spec.instance_types = {"m5.large"};
    seen.pools.push_back(view);
    return seen.pools.back().spec;
  }

  FleetWorker& worker(std::int64_t id, const std::string& pool, WorkerState state = WorkerState::active) {
    FleetWorker worker;
    worker.id = WorkerId{id};
    worker.instance_id = instance_id(id);
    worker.pool = pool;
    worker.state = state;
    worker.registered = state != WorkerState::starting;
    if (worker.registered) worker.silent_for = Millis{1000};
    if (worker.registered) worker.idle_for = Millis{1000};
    if (worker.registered) worker.asked_ago = Millis{0};
    seen.workers.push_back(worker);
    return seen.workers.back();
  }
  FleetWorker& busy(std::int64_t id, const std::string& pool, int leases = 1) {
    FleetWorker& added = worker(id, pool);
    added.leases = leases;
    added.idle_for.reset();
    return added;
  }

  FleetLaunch& launch(std::int64_t id, const std::string& pool, int count,
                      LaunchState state = LaunchState::intended) {
    FleetLaunch launch;
    launch.id = LaunchId{id};
    launch.pool = pool;
    launch.client_token = "token-" + std::to_string(id);
    launch.count = count;
    launch.state = state;
    launch.instance_type = "m5.large";
    seen.launches.push_back(launch);
    return seen.launches.back();
  }

  Instance& list(std::int64_t id, InstanceState state = InstanceState::running,
                 const std::string& reason = {}) {
    Instance instance;
    instance.id = instance_id(id);
    instance.state = state;
    instance.state_reason = reason;
    instance.launched_at = seen.now - Seconds{600};
    instance.tags = {{std::string(kDeploymentTag), kDeployment}};
    seen.listing->push_back(instance);
    return seen.listing->back();
  }
  // As though every worker had been listed before, long ago.
  void settle() {
    for (const FleetWorker& worker : seen.workers) {
      seen.memory.first_seen[worker.id] = seen.steady - Seconds{3600};
      seen.memory.listed.insert(worker.id);
    }
  }
  void pass(Seconds time) {
    seen.now += time;
    seen.steady += time;
  }
  // Plans, and keeps what the plan and its execution leave for the next one.
  Plan tick() {
    Plan out = core::plan(seen);
    seen.memory = out.memory;
    for (const Action& action : out.actions) {
      if (const auto* end = std::get_if<Terminate>(&action)) {
        seen.outcomes.terminate_sent[end->instance_id] = seen.steady;
      }
    }
    return out;
  }

  Observation seen;
};

template <class A>
std::vector<A> all(const Plan& plan) {
  std::vector<A> out;
  for (const Action& action : plan.actions) {
    if (const A* found = std::get_if<A>(&action)) out.push_back(*found);
  }
  return out;
}

inline bool noted(const Plan& plan, NoteKind kind, const std::string& pool) {
  for (const Note& note : plan.notes) {
    if (note.kind == kind && note.pool == pool) return true;
  }
  return false;
}

}  // namespace drover::core::testing
