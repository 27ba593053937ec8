#include <algorithm>

#include <fmt/format.h>

#include "drover/api/job_spec.hpp"
#include "drover/api/render.hpp"
#include "drover/base/failpoint.hpp"
#include "drover/base/limits.hpp"
#include "drover/base/text.hpp"

#include "handlers.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

constexpr std::size_t kQuickBody = 64 * 1024;  // bytes; larger ones are not parsed on a transport's thread

void answer_submitted(const CallPtr& call, bool many, const std::vector<ports::JobRow>& jobs) {
  if (!many) {
    http::Response response = http::Response::json(201, job_json(jobs.front()).dump() + "\n");
    response.with("Location", "/jobs/" + to_string(jobs.front().id));
    return call->send(std::move(response));
  }
  Json body = Json::array();
  for (const ports::JobRow& job : jobs) body.push(job_json(job));
  call->send(201, body);
}

void submit(const ServicePtr& service, const CallPtr& call) {
  const std::optional<Json> body = body_or_fail(call);
  if (!body) return;
  call->request().body.clear();
  Result<std::vector<services::JobDraft>> drafts = parse_job_drafts(*body);
  if (!drafts.ok()) return call->fail(drafts.error());
  DROVER_FAILPOINT("api.submit");
  const bool many = body->if_array() != nullptr;
  service->jobs.submit(
      Call::who(), std::move(*drafts),
      service->then<std::vector<ports::JobRow>>(call, [service, call, many](std::vector<ports::JobRow> jobs) {
        auto answer = [call, many, jobs = std::move(jobs)] { answer_submitted(call, many, jobs); };
        // The jobs are committed: a full queue must not turn that into an error.
        if (!many || !service->duties.post(answer)) answer();
      }));
}

Result<ports::JobFilter> job_filter(const http::Request& request) {
  ports::JobFilter filter;
  if (const auto text = request.query_value("state")) {
    filter.state = core::parse_job_state(*text);
    if (!filter.state) {
      return invalid("state", fmt::format("\"{}\" is not a state of a job{}", *text,
                                          what_there_is(*text, core::job_state_names())));
    }
  }
  if (const auto text = request.query_value("queue")) filter.queue = std::string(*text);
  if (const auto text = request.query_value("name")) filter.name = std::string(*text);
  const Result<int> limit = query_limit(request);
  if (!limit.ok()) return limit.error();
  filter.limit = *limit;
  const auto before = query_int(request, "before", 1, INT64_MAX);
  if (!before.ok()) return before.error();
  if (*before) filter.before = JobNumber{**before};
  return filter;
}

// The page ends early when the store left rows out for their size (JobFilter::task_bytes), or when the answer
// is large.
void answer_page(const CallPtr& call, const ports::JobFilter& filter,
                 const std::vector<ports::JobRow>& rows) {
  std::string body = "[";
  std::size_t shown = 0;
  std::int64_t task_bytes = 0;
  for (; shown < rows.size() && body.size() < limits::kPageBytes; ++shown) {
    if (shown > 0) body += ",\n ";
    job_json(rows[shown]).write(body);
    task_bytes += static_cast<std::int64_t>(rows[shown].spec.task.size());
  }
  body += "]\n";
  http::Response response = http::Response::json(200, std::move(body));
  if (shown < rows.size() || std::cmp_greater_equal(rows.size(), filter.limit) ||
      task_bytes >= filter.task_bytes) {
    response.with("Link", next_link(call->request(), filter.limit, "before",
                                    std::to_string(rows[shown - 1].number.value)));
  }
  call->send(std::move(response));
}

void change_job(const ServicePtr& service, const CallPtr& call, core::JobAction action) {
  const Result<services::JobKey> key = job_key(call->path("job"));
  if (!key.ok()) return call->fail(key.error());
  service->jobs.act(
      Call::who(), *key, action,
      service->then<engine::ActAnswer>(call, [call, number = key->number](const engine::ActAnswer& answer) {
        Json body = Json::object();
        body.set("number", number.value).set("state", to_string(answer.state)).set("changed", answer.changed);
        call->send(200, body);
      }));
}

// Runs `work` with the job's key on a thread that may block, or answers that there is no such job.
void read_of_job(const ServicePtr& service, const CallPtr& call,
                 std::function<void(const services::JobKey&)> work) {
  Result<services::JobKey> key = job_key(call->path("job"));
  if (!key.ok()) return call->fail(key.error());
  service->read(call, [key = *key, work = std::move(work)] { work(key); });
}

}  // namespace

void post_jobs(const ServicePtr& service, const CallPtr& call) {
  const bool quick = call->request().body.size() <= kQuickBody;
  if (quick) return submit(service, call);
  service->duty(call, [service, call] { submit(service, call); });
}

void list_jobs(const ServicePtr& service, const CallPtr& call) {
  const Result<ports::JobFilter> filter = job_filter(call->request());
  if (!filter.ok()) return call->fail(filter.error());
  service->read(call, [service, call, filter = *filter] {
    const Result<std::vector<ports::JobRow>> rows = service->jobs.list(Call::who(), filter);
    if (!rows.ok()) return call->fail(rows.error());
    answer_page(call, filter, *rows);
  });
}

void get_job(const ServicePtr& service, const CallPtr& call) {
  read_of_job(service, call, [service, call](const services::JobKey& key) {
    const Result<ports::JobRow> row = service->jobs.get(Call::who(), key);
    if (!row.ok()) return call->fail(row.error());
    http::Response response = http::Response::json(200, job_json(*row).dump() + "\n");
    call->send(std::move(response.with("ETag", fmt::format("\"{}\"", row->revision))));
  });
}

void hold_job(const ServicePtr& service, const CallPtr& call) {
  change_job(service, call, core::JobAction::hold);
}
void release_job(const ServicePtr& service, const CallPtr& call) {
  change_job(service, call, core::JobAction::release);
}
void cancel_job(const ServicePtr& service, const CallPtr& call) {
  change_job(service, call, core::JobAction::cancel);
}
void requeue_job(const ServicePtr& service, const CallPtr& call) {
  change_job(service, call, core::JobAction::requeue);
}

void list_attempts(const ServicePtr& service, const CallPtr& call) {
  read_of_job(service, call, [service, call](const services::JobKey& key) {
    const Result<std::vector<ports::AttemptRow>> attempts = service->jobs.attempts(Call::who(), key);
    if (!attempts.ok()) return call->fail(attempts.error());
    Json body = Json::array();
    for (const ports::AttemptRow& attempt : *attempts) body.push(attempt_json(attempt));
    call->send(200, body);
  });
}

void get_explain(const ServicePtr& service, const CallPtr& call) {
  read_of_job(service, call, [service, call](const services::JobKey& key) {
    service->explain.look(
        Call::who(), key,
        service->then<services::ExplainInput>(call, [service, call](services::ExplainInput input) {
          service->read(call, [call, input = std::move(input)] {
            call->send(200, explanation_json(services::explain_job(input)));
          });
        }));
  });
}

}  // namespace drover::api
