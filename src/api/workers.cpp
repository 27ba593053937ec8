#include <fmt/format.h>

#include "drover/api/render.hpp"
#include "drover/base/text.hpp"

#include "handlers.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

Result<services::WorkerFilter> worker_filter(const http::Request& request) {
  services::WorkerFilter list;
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

void answer_workers(const CallPtr& call, const services::WorkerPage& page, int limit) {
  Json body = Json::array();
  for (const services::WorkerSeen& worker : page.workers) body.push(worker_json(worker.row, worker.running));
  http::Response response = http::Response::json(200, body.dump() + "\n");
  if (page.next)
    response.with("Link", next_link(call->request(), limit, "before", std::to_string(page.next->value)));
  call->send(std::move(response));
}

void move_worker(const ServicePtr& service, const CallPtr& call, core::WorkerMove move) {
  service->duty(call, [service, call, move] {
    service->workers.move(
        Call::who(), call->path("worker"), move,
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
  const Result<services::WorkerFilter> filter = worker_filter(call->request());
  if (!filter.ok()) return call->fail(filter.error());
  service->read(call, [service, call, filter = *filter] {
    const Result<services::WorkerPage> page = service->workers.list(Call::who(), filter);
    if (!page.ok()) return call->fail(page.error());
    answer_workers(call, *page, filter.limit);
  });
}

void get_worker(const ServicePtr& service, const CallPtr& call) {
  service->read(call, [service, call] {
    const Result<services::WorkerSeen> worker = service->workers.get(Call::who(), call->path("worker"));
    if (!worker.ok()) return call->fail(worker.error());
    call->send(200, worker_json(worker->row, worker->running));
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
