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
  auto queue = view.queues.begin();
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
  engine::QueuesWanted wanted{engine::QueuesWanted::Which::by_name, static_cast<std::size_t>(page->limit) + 1,
                              page->after};  // one more, which says whether there is another page
  service->deps.engine.view(
      std::move(wanted), [service, call, page = *page](Result<engine::EngineView> result) {
        if (!result.ok()) return call->fail(result.error());
        if (!result->leading) {
          return call->fail(
              Error{.code = Errc::unavailable, .message = result->standby_reason, .retry_after_s = 1});
        }
        auto view = std::make_shared<engine::EngineView>(std::move(*result));
        service->read(call, [call, page, view] { answer_queues(call, *view, page); });
      });
}

}  // namespace drover::api
