#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "drover/api/pool_spec.hpp"
#include "drover/base/limits.hpp"

#include "handlers.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

// One decimal, and always a fraction: what Scale's clients read as a float.
Json decimal(double value) {
  const double rounded = std::round(value * 10) / 10;
  return Json(Json::Fraction{rounded, fmt::format("{:.1f}", rounded)});
}

Json capacity_json(const services::Capacity& capacity) {
  Json out = Json::object();
  out.set("cpus", decimal(capacity.cpus)).set("mem", decimal(capacity.mem_mib));
  return std::move(out.set("disk", decimal(capacity.disk_mib)));
}

Json resources_json(const services::FleetCapacity& fleet) {
  Json out = Json::object();
  out.set("total", capacity_json(fleet.total)).set("scheduled", capacity_json(fleet.taken));
  return std::move(out.set("used", capacity_json({})));  // real use is not measured
}

Json queue_json(const engine::QueueView& queue, bool counting) {
  Json entry = Json::object();
  set_queue(entry, queue, counting);
  return entry;
}

// The longest by name, the rest as one sum.
void set_queues(Json& out, const engine::EngineView& view) {
  Json listed = Json::object();
  for (const auto& [name, queue] : view.queues) listed.set(name, queue_json(queue, view.counting));
  const engine::QueueSum& rest = view.other_queues;
  Json others = queue_json({rest.ready, static_cast<int>(rest.leased)}, view.counting);
  others.set("count", rest.count);
  out.set("queues", std::move(listed)).set("other_queues", std::move(others));
}

Json workers_json(const engine::EngineView& view) {
  std::map<core::WorkerState, int> counts;
  for (const engine::WorkerView& worker : view.workers) ++counts[worker.state];
  Json out = Json::object();
  for (const core::WorkerState state : {core::WorkerState::starting, core::WorkerState::active,
                                        core::WorkerState::draining, core::WorkerState::terminating}) {
    out.set(std::string(to_string(state)), counts[state]);
  }
  return out;
}

std::string note_text(const ports::PoolNote& note) {
  return note.code.empty() ? note.message : note.code + ": " + note.message;
}

Json pools_json(const engine::EngineView& view, const ports::FleetNotes& notes) {
  Json out = Json::object();
  for (const ports::PoolRow& pool : view.pools) {
    const auto machines = std::count_if(view.workers.begin(), view.workers.end(),
                                        [&](const auto& worker) { return worker.pool == pool.spec.name; });
    const auto note = std::find_if(notes.pools.begin(), notes.pools.end(),
                                   [&](const ports::PoolNote& n) { return n.pool == pool.spec.name; });
    Json entry = Json::object();
    entry.set("workers", static_cast<std::int64_t>(machines)).set("max", pool.spec.max);
    entry.set("blocked_reason", pool.blocked_reason.empty() ? Json() : Json(pool.blocked_reason));
    entry.set("note", note == notes.pools.end() ? Json() : Json(note_text(*note)));
    out.set(pool.spec.name, std::move(entry));
  }
  return out;
}

Json status_json(Service& service, Call& call, const engine::EngineView& view) {
  const bool online = view.leading && view.store_reachable;
  const ports::FleetNotes notes = service.scheduler.notes();
  std::int64_t depth = view.other_queues.ready;
  for (const auto& [name, queue] : view.queues) depth += queue.ready;
  Json master = Json::object();
  master.set("is_online", online)
      .set("hostname", service.deps.hostname)
      .set("port", int{service.deps.port()});
  Json scheduler = Json::object();
  scheduler.set("is_online", online).set("is_paused", view.paused).set("hostname", service.deps.hostname);
  Json out = Json::object();
  out.set("master", std::move(master))
      .set("scheduler", std::move(scheduler))
      .set("queue_depth", view.leading && !view.counting ? Json(depth) : Json());
  if (online) {
    const auto capacity = service.scheduler.capacity(view, [&call] { return call.given_up(); });
    if (capacity) out.set("resources", resources_json(*capacity));
  }
  set_queues(out, view);
  out.set("workers", workers_json(view)).set("pools", pools_json(view, notes));
  out.set("leading", view.leading).set("standby_reason", view.leading ? Json() : Json(view.standby_reason));
  out.set("store_reachable", view.store_reachable).set("fleet_frozen", notes.frozen);
  out.set("cloud_error", notes.last_error.empty() ? Json() : Json(notes.last_error));
  return std::move(out.set("version", service.deps.version));
}

}  // namespace

void get_status(const ServicePtr& service, const CallPtr& call) {
  service->read(
      call, [service, call] { call->send(200, status_json(*service, *call, *service->scheduler.view())); });
}

}  // namespace drover::api
