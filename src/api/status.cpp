#include "bodies.hpp"
#include "handlers.hpp"

namespace drover::api {

void get_status(const ServicePtr& service, const CallPtr& call) {
  service->read(call, [service, call] {
    DaemonStatus status{.view = service->scheduler.view(),
                        .notes = service->scheduler.notes(),
                        .capacity = {},
                        .hostname = service->deps.hostname,
                        .port = service->deps.port(),
                        .version = service->deps.version};
    if (status.view->leading && status.view->store_reachable) {
      status.capacity = service->scheduler.capacity(*status.view, [&call] { return call->given_up(); });
    }
    call->send(200, status_table().write(status));
  });
}

}  // namespace drover::api
