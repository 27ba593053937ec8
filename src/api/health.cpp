#include <array>
#include <map>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "handlers.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

void refresh_gauges(Service& service, const engine::EngineView& view);

}  // namespace

void get_healthz(const ServicePtr&, const CallPtr& call) {
  call->send(http::Response::text(200, "ok\n"));
}

void get_readyz(const ServicePtr& service, const CallPtr& call) {
  const std::string why = service->scheduler.unready();
  if (why.empty()) return call->send(http::Response::text(200, "ready\n"));
  call->fail(unavailable("not ready: " + why, 1));
}

void get_metrics(const ServicePtr& service, const CallPtr& call) {
  service->duty(call, [service, call] {
    refresh_gauges(*service, *service->scheduler.view());
    http::Response response = http::Response::text(200, service->deps.metrics.render());
    response.headers.front().second = "text/plain; version=0.0.4; charset=utf-8";
    call->send(std::move(response));
  });
}

namespace {

// Stands for all queues that no pool serves. Clients choose their names, so labels would grow without bound.
constexpr std::string_view kOther = "(other)";
constexpr std::array kStates{core::WorkerState::starting, core::WorkerState::active,
                             core::WorkerState::draining, core::WorkerState::terminating};

// The gauges that come from the leader's memory. A daemon that does not lead shows none of them, since its
// memory of the fleet is out of date.
constexpr std::array kLeadersGauges{
    "drover_scheduler_paused",   "drover_leader_epoch", "drover_fleet_frozen", "drover_queue_ready_jobs",
    "drover_queue_running_jobs", "drover_workers",      "drover_pool_slots",   "drover_pool_slots_taken",
    "drover_pool_max_workers",   "drover_pool_blocked"};

using Series = std::map<std::string_view, std::vector<ports::GaugeSample>>;

void queue_gauges(Series& out, const engine::EngineView& view) {
  std::map<std::string, engine::QueueView, std::less<>> shown;
  engine::QueueView& other = shown[std::string(kOther)];
  other.ready = view.other_queues.ready;
  other.leased = static_cast<int>(view.other_queues.leased);
  for (const ports::PoolRow& pool : view.pools) {
    for (const std::string& queue : queues_of(pool.spec)) shown[queue];
  }
  for (const auto& [name, queue] : view.queues) {
    const auto found = shown.find(name);
    engine::QueueView& sum = found == shown.end() ? other : found->second;
    sum.ready += queue.ready;
    sum.leased += queue.leased;
  }
  for (const auto& [name, queue] : shown) {
    if (!view.counting)
      out["drover_queue_ready_jobs"].push_back({{{"queue", name}}, static_cast<double>(queue.ready)});
    out["drover_queue_running_jobs"].push_back({{{"queue", name}}, static_cast<double>(queue.leased)});
  }
}

void worker_gauges(Series& out, const engine::EngineView& view) {
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
    out["drover_workers"].push_back(
        {{{"pool", key.first}, {"state", std::string(to_string(key.second))}}, static_cast<double>(count)});
  }
  for (const auto& [pool, both] : slots) {
    out["drover_pool_slots"].push_back({{{"pool", pool}}, static_cast<double>(both.first)});
    out["drover_pool_slots_taken"].push_back({{{"pool", pool}}, static_cast<double>(both.second)});
  }
  for (const ports::PoolRow& pool : view.pools) {
    out["drover_pool_max_workers"].push_back(
        {{{"pool", pool.spec.name}}, static_cast<double>(pool.spec.max)});
    out["drover_pool_blocked"].push_back(
        {{{"pool", pool.spec.name}}, pool.blocked_reason.empty() ? 0.0 : 1.0});
  }
}

void refresh_gauges(Service& service, const engine::EngineView& view) {
  ports::Metrics& metrics = service.deps.metrics;
  metrics.set("drover_leading", view.leading ? 1 : 0);
  metrics.set("drover_store_reachable", view.store_reachable ? 1 : 0);
  Series series;
  if (view.leading) {
    series["drover_scheduler_paused"] = {{{}, view.paused ? 1.0 : 0.0}};
    series["drover_leader_epoch"] = {{{}, static_cast<double>(view.epoch)}};
    const bool frozen = service.scheduler.notes().frozen;
    series["drover_fleet_frozen"] = {{{}, frozen ? 1.0 : 0.0}};
    queue_gauges(series, view);
    worker_gauges(series, view);
  }
  for (const char* gauge : kLeadersGauges) metrics.replace(gauge, series[gauge]);
}

}  // namespace

void describe_gauges(ports::Metrics& metrics) {
  metrics.describe("drover_leading", "1 while this daemon is the leader.");
  metrics.describe("drover_store_reachable", "1 while the database answers.");
  metrics.describe("drover_scheduler_paused", "1 while the scheduler is paused.");
  metrics.describe("drover_leader_epoch", "Grows by one with each change of leadership.");
  metrics.describe("drover_fleet_frozen", "1 while too much of the fleet is absent at once.");
  metrics.describe(
      "drover_queue_ready_jobs",
      "Jobs that are queued and due, by queue. Absent while they are counted, at the beginning of a term.");
  metrics.describe("drover_queue_running_jobs", "Jobs that run, by queue.");
  metrics.describe("drover_workers", "Workers by pool and state.");
  metrics.describe("drover_pool_slots", "Slots of a pool's workers.");
  metrics.describe("drover_pool_slots_taken", "Slots of a pool's workers that run a job.");
  metrics.describe("drover_pool_max_workers", "Workers that a pool may have at most.");
  metrics.describe("drover_pool_blocked", "1 while a pool launches nothing until it is edited.");
}

}  // namespace drover::api
