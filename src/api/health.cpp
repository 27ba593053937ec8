#include <array>
#include <map>
#include <mutex>

#include <fmt/format.h>

#include "drover/api/pool_spec.hpp"

#include "handlers.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

constexpr std::string_view kOther =
    "(other)";  // queues that no pool serves, together: clients make their names up
constexpr std::array kStates{core::WorkerState::starting, core::WorkerState::active,
                             core::WorkerState::draining, core::WorkerState::terminating};

void queue_gauges(Service& service, const engine::EngineView& view) {
  ports::Metrics& metrics = service.deps.metrics;
  const std::lock_guard lock(service.gauges_mutex);
  std::map<std::string, engine::QueueView, std::less<>> shown;
  shown[std::string(kOther)];
  for (const ports::PoolRow& pool : view.pools) {
    for (const std::string& queue : queues_of(pool.spec)) shown[queue];
  }
  for (const auto& [name, queue] : view.queues) {
    const auto found = shown.find(name);
    engine::QueueView& sum = found == shown.end() ? shown.find(kOther)->second : found->second;
    sum.ready += queue.ready;
    sum.leased += queue.leased;
  }
  for (const std::string& queue :
       service.gauged_queues) {  // shown before: they go to zero when no pool serves them
    if (shown.contains(queue)) continue;
    metrics.set("drover_queue_ready_jobs", 0, {{"queue", queue}});
    metrics.set("drover_queue_running_jobs", 0, {{"queue", queue}});
  }
  for (const auto& [name, queue] : shown) {
    metrics.set("drover_queue_ready_jobs", static_cast<double>(queue.ready), {{"queue", name}});
    metrics.set("drover_queue_running_jobs", queue.leased, {{"queue", name}});
    service.gauged_queues.insert(name);
  }
}

void worker_gauges(ports::Metrics& metrics, const engine::EngineView& view) {
  std::map<std::pair<std::string, core::WorkerState>, int> counts;
  std::map<std::string, std::pair<int, int>> slots;  // pool → slots, leases
  for (const ports::PoolRow& pool : view.pools) {
    for (const core::WorkerState state : kStates) counts[{pool.spec.name, state}] = 0;
    slots[pool.spec.name];
  }
  for (const engine::WorkerView& worker : view.workers) {
    ++counts[{worker.pool, worker.state}];
    slots[worker.pool].first += worker.slots;
    slots[worker.pool].second += worker.leases;
  }
  for (const auto& [key, count] : counts) {
    metrics.set("drover_workers", count, {{"pool", key.first}, {"state", to_string(key.second)}});
  }
  for (const auto& [pool, both] : slots) {
    metrics.set("drover_pool_slots", both.first, {{"pool", pool}});
    metrics.set("drover_pool_slots_taken", both.second, {{"pool", pool}});
  }
  for (const ports::PoolRow& pool : view.pools) {
    metrics.set("drover_pool_max_workers", pool.spec.max, {{"pool", pool.spec.name}});
    metrics.set("drover_pool_blocked", pool.blocked_reason.empty() ? 0 : 1, {{"pool", pool.spec.name}});
  }
}

void refresh_gauges(Service& service, const engine::EngineView& view) {
  ports::Metrics& metrics = service.deps.metrics;
  metrics.set("drover_leading", view.leading ? 1 : 0);
  metrics.set("drover_store_reachable", view.store_reachable ? 1 : 0);
  metrics.set("drover_scheduler_paused", view.paused ? 1 : 0);
  metrics.set("drover_leader_epoch", static_cast<double>(view.epoch));
  if (service.deps.fleet_notes) metrics.set("drover_fleet_frozen", service.deps.fleet_notes().frozen ? 1 : 0);
  if (!view.leading) return;  // memory of a standby says nothing of the fleet
  queue_gauges(service, view);
  worker_gauges(metrics, view);
}

}  // namespace

void describe_gauges(ports::Metrics& metrics) {
  metrics.describe("drover_leading", "1 while this daemon is the leader.");
  metrics.describe("drover_store_reachable", "1 while the database answers.");
  metrics.describe("drover_scheduler_paused", "1 while the scheduler is paused.");
  metrics.describe("drover_leader_epoch", "Grows by one with each change of leadership.");
  metrics.describe("drover_fleet_frozen", "1 while too much of the fleet is absent at once.");
  metrics.describe("drover_queue_ready_jobs", "Jobs that are queued and due, by queue.");
  metrics.describe("drover_queue_running_jobs", "Jobs that run, by queue.");
  metrics.describe("drover_workers", "Workers by pool and state.");
  metrics.describe("drover_pool_slots", "Slots of a pool's workers.");
  metrics.describe("drover_pool_slots_taken", "Slots of a pool's workers that run a job.");
  metrics.describe("drover_pool_max_workers", "Workers that a pool may have at most.");
  metrics.describe("drover_pool_blocked", "1 while a pool launches nothing until it is edited.");
}

void get_healthz(const ServicePtr&, const CallPtr& call) {
  call->send(http::Response::text(200, "ok\n"));
}

void get_readyz(const ServicePtr& service, const CallPtr& call) {
  service->deps.engine.view(
      service->then<engine::EngineView>(call, [service, call](const engine::EngineView& view) {
        const std::string unready = service->deps.unready ? service->deps.unready() : "";
        const bool leads = view.leading && view.store_reachable;
        if (leads && unready.empty()) return call->send(http::Response::text(200, "ready\n"));
        const std::string why = leads                          ? unready
                                : !view.standby_reason.empty() ? view.standby_reason
                                : view.leading                 ? "the database is out of reach"
                                                               : "this daemon does not lead";
        call->fail(Error{.code = Errc::unavailable, .message = "not ready: " + why, .retry_after_s = 2});
      }));
}

void get_metrics(const ServicePtr& service, const CallPtr& call) {
  service->deps.engine.view([service, call](Result<engine::EngineView> result) {
    auto view = std::make_shared<engine::EngineView>();
    if (result.ok()) *view = std::move(*result);
    service->read(call, [service, call, view] {
      refresh_gauges(*service, *view);
      http::Response response = http::Response::text(200, service->deps.metrics.render());
      response.headers.front().second = "text/plain; version=0.0.4; charset=utf-8";
      call->send(std::move(response));
    });
  });
}

}  // namespace drover::api
