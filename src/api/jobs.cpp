#include <algorithm>

#include <fmt/format.h>

#include "drover/api/explain.hpp"
#include "drover/api/job_spec.hpp"
#include "drover/api/pool_spec.hpp"
#include "drover/api/render.hpp"
#include "drover/base/failpoint.hpp"
#include "drover/base/limits.hpp"
#include "drover/base/text.hpp"

#include "handlers.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

constexpr std::size_t kQuickBody = 64 * 1024;  // bytes; larger ones are not parsed on a transport's thread

void answer_submitted(const CallPtr& call, bool many, std::vector<core::JobSpec> specs,
                      const std::vector<engine::Submitted>& submitted) {
  Json body = Json::array();
  for (std::size_t i = 0; i < submitted.size() && i < specs.size(); ++i) {
    body.push(job_json(new_job_row(std::move(specs[i]), submitted[i])));
  }
  if (many || submitted.empty()) return call->send(201, body);
  http::Response response = http::Response::json(201, body.if_array()->front().dump() + "\n");
  response.with("Location", "/jobs/" + to_string(submitted.front().id));
  call->send(std::move(response));
}

void submit(const ServicePtr& service, const CallPtr& call) {
  const std::optional<Json> body = body_or_fail(call);
  if (!body) return;
  call->request().body.clear();
  const SpecDefaults defaults{service->deps.engine.shown()->tunables.default_max_attempts};
  Result<std::vector<core::JobSpec>> specs = parse_job_specs(*body, defaults);
  if (!specs.ok()) return call->fail(specs.error());
  DROVER_FAILPOINT("api.submit");
  const bool many = body->if_array() != nullptr;
  auto kept = std::make_shared<std::vector<core::JobSpec>>(*specs);
  service->deps.engine.submit(
      std::move(*specs), service->then<std::vector<engine::Submitted>>(
                             call, [service, call, many, kept](std::vector<engine::Submitted> submitted) {
                               auto answer = [call, many, kept, submitted = std::move(submitted)] {
                                 answer_submitted(call, many, std::move(*kept), submitted);
                               };
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
  const Result<JobKey> key = job_key(call->path("job"));
  if (!key.ok()) return call->fail(key.error());
  const JobNumber number = key->number;
  service->deps.engine.act(
      ports::ActOnJob{number, key->id, action, service->deps.clock.wall()},
      service->then<engine::ActAnswer>(call, [call, number](const engine::ActAnswer& answer) {
        Json body = Json::object();
        body.set("number", number.value).set("state", to_string(answer.state)).set("changed", answer.changed);
        call->send(200, body);
      }));
}

void finish_explain(const ServicePtr& service, const CallPtr& call,
                    const std::shared_ptr<ExplainInput>& input) {
  service->read(call, [service, call, input] {
    input->notes = service->fleet_notes();
    input->now = service->deps.clock.wall();
    call->send(200, explain_job(*input));
  });
}

// Asks the engine where the job stands in its queue; without an answer that is left out.
void explain_queued_job(const ServicePtr& service, const CallPtr& call,
                        const std::shared_ptr<ExplainInput>& input) {
  input->view = *service->deps.engine.shown();
  const core::JobSpec& spec = input->job.spec;
  service->deps.engine.place(spec.queue, core::ReadyKey{-spec.priority, input->job.number.value},
                             [service, call, input](const Result<engine::JobPlace>& place) {
                               if (place.ok()) input->place = *place;
                               finish_explain(service, call, input);
                             });
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
    const Result<std::vector<ports::JobRow>> rows = service->deps.reads.jobs(filter);
    if (!rows.ok()) return call->fail(rows.error());
    answer_page(call, filter, *rows);
  });
}

void get_job(const ServicePtr& service, const CallPtr& call) {
  service->read(call, [service, call] {
    const Result<ports::JobRow> row = read_job(*service, call->path("job"));
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
  service->read(call, [service, call] {
    const Result<ports::JobRow> row = read_job(*service, call->path("job"));
    if (!row.ok()) return call->fail(row.error());
    const Result<std::vector<ports::AttemptRow>> attempts = service->deps.reads.attempts(row->number);
    if (!attempts.ok()) return call->fail(attempts.error());
    Json body = Json::array();
    for (const ports::AttemptRow& attempt : *attempts) body.push(attempt_json(attempt));
    call->send(200, body);
  });
}

void get_explain(const ServicePtr& service, const CallPtr& call) {
  service->read(call, [service, call] {
    Result<ports::JobRow> row = read_job(*service, call->path("job"));
    if (!row.ok()) return call->fail(row.error());
    auto input = std::make_shared<ExplainInput>();
    input->job = std::move(*row);
    if (input->job.state == core::JobState::queued) return explain_queued_job(service, call, input);
    input->now = service->deps.clock.wall();
    call->send(200, explain_job(*input));
  });
}

}  // namespace drover::api
