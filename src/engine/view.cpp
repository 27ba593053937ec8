#include "view.hpp"

#include <utility>

namespace drover::engine {
namespace {

WorkerView view_of(const Parts& parts, const Worker& worker) {
  const SteadyTime now = parts.clock.steady();
  const auto since = [now](SteadyTime then) { return std::chrono::duration_cast<Millis>(now - then); };
  WorkerView view;
  view.id = worker.row.id;
  view.instance_id = worker.row.instance_id;
  view.pool = worker.row.pool_name;
  view.state = worker.row.state;
  view.slots = worker.row.slots;
  view.leases = static_cast<int>(worker.jobs.size());
  view.registered = worker.row.registered.has_value();
  view.alone = parts.state.runs_alone(worker, now);
  if (worker.heard) view.silent_for = since(*worker.heard);
  const bool asking = parts.waiters.of(worker.row.id) != nullptr;
  if (worker.asked) view.asked_ago = asking ? Millis{0} : since(*worker.asked);
  if (view.registered && worker.jobs.empty()) view.idle_for = since(worker.idle_since);
  return view;
}

}  // namespace

EngineView view_of(const Parts& parts) {
  const State& state = parts.state;
  EngineView view;
  view.leading = parts.term.leading();
  view.trusted_until = parts.term.trusted_until();
  view.standby_reason = parts.term.standby_reason();
  view.store_reachable = parts.term.store_reachable();
  view.paused = state.paused;
  view.deployment = state.deployment;
  view.deployment_secret = state.deployment_secret;
  view.epoch = state.epoch;
  view.tunables = state.tunables;
  view.jobs_submitted = state.jobs_submitted;
  view.attempts_ended = state.attempts_ended;
  view.counting = view.leading && state.accounts.counting();
  for (const auto& [name, queue] : state.accounts.queues()) {
    view.queues[name] = QueueView{queue.ready, static_cast<int>(queue.leased),
                                  static_cast<std::int64_t>(state.suspects.size(name))};
  }
  if (view.counting) {
    for (const auto& [id, pool] : state.pools) {
      for (const std::string& queue : core::queues_of(pool.spec)) view.queues[queue];
    }
    for (auto& [name, queue] : view.queues) {
      queue.suspects = static_cast<std::int64_t>(state.suspects.size(name));
      queue.ready = state.waiting_in_memory(name) + state.accounts.of(name).claiming;
    }
  }
  for (const auto& [id, pool] : state.pools) view.pools.push_back(pool);
  for (const auto& [id, worker] : state.workers) view.workers.push_back(view_of(parts, worker));
  return view;
}

JobPlace place_of(const Parts& parts, const std::string& queue, core::ReadyKey key) {
  const core::ReadyIndex& ready = parts.state.ready;
  const auto ahead = ready.ahead_of(queue, key);
  return {ahead.has_value(), ahead.value_or(static_cast<std::int64_t>(ready.size(queue)))};
}

}  // namespace drover::engine
