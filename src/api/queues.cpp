#include "handlers.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

struct QueuePage {
  std::string after;  // names above this one; empty: from the first
  int limit = 0;
};

Result<QueuePage> queue_page(const http::Request& request) {
  const Result<int> limit = query_limit(request);
  if (!limit.ok()) return limit.error();
  return QueuePage{std::string(request.query_value("after").value_or("")), *limit};
}

void answer_queues(const CallPtr& call, const engine::EngineView& view, const QueuePage& page) {
  Json body = Json::array();
  auto queue = view.queues.upper_bound(page.after);
  std::string last;
  for (int shown = 0; shown < page.limit && queue != view.queues.end(); ++shown, ++queue) {
    last = queue->first;
    Json entry = Json::object();
    entry.set("name", last);
    set_queue(entry, queue->second, view.counting);
    body.push(std::move(entry));
  }
  http::Response response = http::Response::json(200, body.dump() + "\n");
  if (queue != view.queues.end()) {
    response.with("Link", next_link(call->request(), page.limit, "after", last));
  }
  call->send(std::move(response));
}

}  // namespace

// Every queue that the leader's memory holds, by name.
void list_queues(const ServicePtr& service, const CallPtr& call) {
  const Result<QueuePage> page = queue_page(call->request());
  if (!page.ok()) return call->fail(page.error());
  const auto view = service->deps.engine.shown();
  if (!view->leading) {
    return call->fail(Error{.code = Errc::unavailable, .message = view->standby_reason, .retry_after_s = 2});
  }
  service->read(call, [call, page = *page, view] { answer_queues(call, *view, page); });
}

}  // namespace drover::api
