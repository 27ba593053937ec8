#include "bodies.hpp"
#include "handlers.hpp"
#include "queries.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

void answer_queues(const CallPtr& call, const services::QueuePage& page, int limit);

}  // namespace

// Every queue that the leader's memory holds, by name.
void list_queues(const ServicePtr& service, const CallPtr& call) {
  const std::optional<NamesQuery> query = query_by(call, queues_query_table());
  if (!query) return;
  service->scheduler.queues(
      call->who(), query->after, query->limit,
      service->then<services::QueuePage>(
          call, [service, call, limit = query->limit](services::QueuePage page) {
            service->read(call, [call, limit, page = std::move(page)] { answer_queues(call, page, limit); });
          }));
}

namespace {

void answer_queues(const CallPtr& call, const services::QueuePage& page, int limit) {
  Json body = Json::array();
  for (const auto& [name, queue] : page.queues) body.push(queue_table().write({name, queue, page.counting}));
  http::Response response = http::Response::json(200, body.dump() + "\n");
  if (page.more)
    response.with("Link", next_link(call->request(), limit, "after", page.queues.rbegin()->first));
  call->send(std::move(response));
}

}  // namespace

}  // namespace drover::api
