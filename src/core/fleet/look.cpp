#include "look.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

#include "drover/core/job/suspects.hpp"

namespace drover::core {
namespace {

// A listing that is read page by page may show one instance twice, in two states. A machine does not come
// back to life, so the state nearer to its end is the later one.
const Instance* later_of(const Instance* a, const Instance* b) {
  if (a == nullptr) return b;
  const auto order = [](const Instance& instance) {
    return std::tuple(is_gone(instance.state), instance.state, std::string_view(instance.state_reason));
  };
  return order(*a) < order(*b) ? b : a;
}

}  // namespace

Look::Look(const Observation& observation) : seen(observation) {
  for (const PoolView& pool : seen.pools) pools[pool.spec.name].view = &pool;
  for (const FleetWorker& worker : seen.workers) {
    if (worker.state != WorkerState::gone) workers[worker.id] = &worker;
  }
  for (const auto& [id, worker] : workers) {
    by_instance[worker->instance_id] = worker;
    const auto pool = pools.find(worker->pool);
    if (pool != pools.end()) pool->second.workers.push_back(worker);
  }
  for (const Instance& instance : *seen.listing) {
    const Instance*& place = listed[instance.id];
    place = later_of(place, &instance);
  }
  for (const FleetLaunch& launch : seen.launches) launches[launch.id] = &launch;
}

Provider Look::provider_of(const FleetWorker& worker) const {
  const auto pool = pools.find(worker.pool);
  if (!is_instance_id(worker.instance_id) || pool == pools.end()) return Provider::none;
  return pool->second.view->spec.provider;
}

bool Look::is_charged(LaunchId launch) const {
  const auto charge = seen.outcomes.launched.find(launch);
  return charge != seen.outcomes.launched.end() && seen.steady - charge->second.at < Seconds{60};
}

double Look::credible_loss(int fleet) const {
  return core::credible_loss(fleet, seen.tunables);
}

void Part::note(const std::string& pool, NoteKind kind, std::string text, std::optional<Millis> next_try) {
  notes.push_back(Note{pool, kind, std::move(text), next_try, {}, {}});
}

void Part::wake_in(SteadyTime::duration delay) {
  delay = std::max(delay, SteadyTime::duration{0});
  wake = wake ? std::min(*wake, delay) : delay;
}

void Part::terminate(const Look& look, WorkerId worker, const std::string& instance_id, bool mark,
                     std::string reason) {
  const auto& asked = look.seen.outcomes.terminate_sent;
  const auto sent = asked.find(instance_id);
  if (sent != asked.end() && look.seen.steady - sent->second < kTerminateRetry) {
    return wake_in(sent->second + kTerminateRetry - look.seen.steady);
  }
  act(Terminate{worker, instance_id, mark, std::move(reason)});
}

SteadyTime::duration age_of(const Look& look, const PlannerMemory& memory, WorkerId id) {
  const auto first = memory.first_seen.find(id);
  return first == memory.first_seen.end() ? SteadyTime::duration{0} : look.seen.steady - first->second;
}

}  // namespace drover::core
