#include <map>

#include <fmt/format.h>

#include "drover/api/render.hpp"
#include "drover/base/text.hpp"

#include "handlers.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

using Running = std::map<std::int64_t, int>;  // worker → jobs that it runs

struct WorkerList {
  std::optional<core::WorkerState> state;
  std::optional<WorkerId> before;
  int limit = 0;
};

Result<WorkerList> worker_list(const http::Request& request) {
  WorkerList list;
  if (const auto text = request.query_value("state")) {
    list.state = core::parse_worker_state(*text);
    if (!list.state) {
      return invalid("state", fmt::format("\"{}\" is not a state of a worker{}", *text,
                                          what_there_is(*text, core::worker_state_names())));
    }
  }
  const Result<int> limit = query_limit(request);
  if (!limit.ok()) return limit.error();
  list.limit = *limit;
  const auto before = query_int(request, "before", 1, INT64_MAX);
  if (!before.ok()) return before.error();
  if (*before) list.before = WorkerId{**before};
  return list;
}

void answer_list(Service& service, const CallPtr& call, const WorkerList& list,
                 const std::optional<Running>& running) {
  const bool with_gone = list.state == core::WorkerState::gone;
  const Result<std::vector<ports::WorkerRow>> rows =
      service.deps.reads.workers(with_gone, list.before, list.limit);
  if (!rows.ok()) return call->fail(rows.error());
  Json body = Json::array();
  for (const ports::WorkerRow& row : *rows) {
    if (list.state && row.state != *list.state) continue;
    std::optional<int> jobs;
    if (running) jobs = running->contains(row.id.value) ? running->at(row.id.value) : 0;
    body.push(worker_json(row, jobs));
  }
  http::Response response = http::Response::json(200, body.dump() + "\n");
  if (static_cast<int>(rows->size()) >= list.limit) {
    response.with("Link",
                  next_link(call->request(), list.limit, "before", std::to_string(rows->back().id.value)));
  }
  call->send(std::move(response));
}

std::optional<Running> running_in(const engine::EngineView& view) {
  if (!view.leading) return std::nullopt;
  Running running;
  for (const engine::WorkerView& worker : view.workers) running[worker.id.value] = worker.leases;
  return running;
}

Result<ports::WorkerRow> read_worker(Service& service, const std::string& name) {
  Result<std::optional<ports::WorkerRow>> row = service.deps.reads.worker(name);
  if (!row.ok()) return row.error();
  if (!row->has_value()) return Error{Errc::not_found, fmt::format("there is no worker {}", name)};
  return std::move(**row);
}

void move_worker(const ServicePtr& service, const CallPtr& call, core::WorkerMove move) {
  service->duty(call, [service, call, move] {
    const Result<ports::WorkerRow> row = read_worker(*service, call->path("worker"));
    if (!row.ok()) return call->fail(row.error());
    service->deps.engine.apply(
        ports::MoveWorker{row->id, move, "asked for by an operator", service->deps.clock.wall()},
        service->then<ports::MoveWorker::Answer>(call, [call](const ports::MoveWorker::Answer& moved) {
          if (moved.changed) {
            call->did("worker changed by an operator",
                      {{"worker", std::to_string(moved.worker.id.value)},
                       {"instance", moved.worker.instance_id},
                       {"state", std::string(to_string(moved.worker.state))}});
          }
          call->send(200, worker_json(moved.worker).set("changed", moved.changed));
        }));
  });
}

}  // namespace

void list_workers(const ServicePtr& service, const CallPtr& call) {
  const Result<WorkerList> list = worker_list(call->request());
  if (!list.ok()) return call->fail(list.error());
  service->read(call, [service, call, list = *list] {
    answer_list(*service, call, list, running_in(*service->deps.engine.shown()));
  });
}

void get_worker(const ServicePtr& service, const CallPtr& call) {
  service->read(call, [service, call] {
    const std::optional<Running> running = running_in(*service->deps.engine.shown());
    const Result<ports::WorkerRow> row = read_worker(*service, call->path("worker"));
    if (!row.ok()) return call->fail(row.error());
    std::optional<int> jobs;
    if (running) jobs = running->contains(row->id.value) ? running->at(row->id.value) : 0;
    call->send(200, worker_json(*row, jobs));
  });
}

void drain_worker(const ServicePtr& service, const CallPtr& call) {
  move_worker(service, call, core::WorkerMove::drain);
}
void activate_worker(const ServicePtr& service, const CallPtr& call) {
  move_worker(service, call, core::WorkerMove::activate);
}
void terminate_worker(const ServicePtr& service, const CallPtr& call) {
  move_worker(service, call, core::WorkerMove::terminate);
}

}  // namespace drover::api
