#include "handlers.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

void answer_queues(const CallPtr& call, const services::QueuePage& page, int limit) {
  Json body = Json::array();
  for (const auto& [name, queue] : page.queues) {
    Json entry = Json::object();
    entry.set("name", name);
    set_queue(entry, queue, page.counting);
    body.push(std::move(entry));
  }
  http::Response response = http::Response::json(200, body.dump() + "\n");
  if (page.more)
    response.with("Link", next_link(call->request(), limit, "after", page.queues.rbegin()->first));
  call->send(std::move(response));
}

}  // namespace

// Every queue that the leader's memory holds, by name.
void list_queues(const ServicePtr& service, const CallPtr& call) {
  const Result<int> limit = query_limit(call->request());
  if (!limit.ok()) return call->fail(limit.error());
  service->scheduler.queues(
      Call::who(), std::string(call->request().query_value("after").value_or("")), *limit,
      service->then<services::QueuePage>(call, [service, call, limit = *limit](services::QueuePage page) {
        service->read(call, [call, limit, page = std::move(page)] { answer_queues(call, page, limit); });
      }));
}

}  // namespace drover::api
