#include <fmt/format.h>

#include "drover/base/text.hpp"

#include "bodies.hpp"
#include "handlers.hpp"
#include "queries.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

void answer_workers(const CallPtr& call, const services::WorkerPage& page, int limit);
void move_worker(const ServicePtr& service, const CallPtr& call, core::WorkerMove move);

}  // namespace

void list_workers(const ServicePtr& service, const CallPtr& call) {
  const std::optional<services::WorkerFilter> filter = query_by(call, worker_filter_table());
  if (!filter) return;
  service->read(call, [service, call, filter = *filter] {
    const Result<services::WorkerPage> page = service->workers.list(call->who(), filter);
    if (!page.ok()) return call->fail(page.error());
    answer_workers(call, *page, filter.limit);
  });
}

void get_worker(const ServicePtr& service, const CallPtr& call) {
  service->read(call, [service, call] {
    const Result<services::WorkerSeen> worker = service->workers.get(call->who(), call->path("worker"));
    if (!worker.ok()) return call->fail(worker.error());
    call->send(200, worker_table().write(*worker));
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

namespace {

void answer_workers(const CallPtr& call, const services::WorkerPage& page, int limit) {
  Json body = Json::array();
  for (const services::WorkerSeen& worker : page.workers) body.push(worker_table().write(worker));
  http::Response response = http::Response::json(200, body.dump() + "\n");
  if (page.next)
    response.with("Link", next_link(call->request(), limit, "before", std::to_string(page.next->value)));
  call->send(std::move(response));
}

void move_worker(const ServicePtr& service, const CallPtr& call, core::WorkerMove move) {
  service->duty(call, [service, call, move] {
    service->workers.move(
        call->who(), call->path("worker"), move,
        service->then<ports::MoveWorker::Answer>(call, [call](const ports::MoveWorker::Answer& moved) {
          if (moved.changed) {
            call->did("worker changed by an operator",
                      {{"worker", std::to_string(moved.worker.id.value)},
                       {"instance", moved.worker.instance_id},
                       {"state", std::string(to_string(moved.worker.state))}});
          }
          call->send(200, worker_change_table().write({{moved.worker, std::nullopt}, moved.changed}));
        }));
  });
}

}  // namespace

}  // namespace drover::api
