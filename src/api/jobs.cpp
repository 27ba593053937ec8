#include <algorithm>

#include <fmt/format.h>

#include "drover/base/failpoint.hpp"
#include "drover/base/limits.hpp"
#include "drover/base/text.hpp"

#include "bodies.hpp"
#include "handlers.hpp"
#include "queries.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

constexpr std::size_t kQuickBody = 64 * 1024;  // bytes; larger ones are not parsed on a transport's thread

void answer_submitted(const CallPtr& call, bool many, const std::vector<ports::JobRow>& jobs) {
  if (!many) {
    http::Response response = http::Response::json(201, job_table().write(jobs.front()).dump() + "\n");
    response.with("Location", "/jobs/" + to_string(jobs.front().id));
    return call->send(std::move(response));
  }
  Json body = Json::array();
  for (const ports::JobRow& job : jobs) body.push(job_table().write(job));
  call->send(201, body);
}

void submit(const ServicePtr& service, const CallPtr& call) {
  const std::optional<Json> body = body_or_fail(call);
  if (!body) return;
  call->request().body.clear();
  Result<std::vector<core::JobSpec>> wanted = parse_jobs(*body);
  if (!wanted.ok()) return call->fail(wanted.error());
  DROVER_FAILPOINT("api.submit");
  const bool many = body->if_array() != nullptr;
  service->jobs.submit(
      call->who(), std::move(*wanted),
      service->then<std::vector<ports::JobRow>>(call, [service, call, many](std::vector<ports::JobRow> jobs) {
        auto answer = [call, many, jobs = std::move(jobs)] { answer_submitted(call, many, jobs); };
        // The jobs are committed, so a full queue of duties must not turn the answer into an error.
        if (!many || !service->duties.post(answer)) answer();
      }));
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
    job_table().write(rows[shown]).write(body);
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
      call->who(), *key, action,
      service->then<engine::ActAnswer>(call, [call, number = key->number](const engine::ActAnswer& answer) {
        call->send(200, job_change_table().write({number, answer}));
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

Result<std::vector<core::JobSpec>> parse_jobs(const Json& body) {
  std::vector<core::JobSpec> jobs;
  const Json::Array* array = body.if_array();
  if (array != nullptr) {
    if (const Status bounded = services::check_count(array->size()); !bounded.ok()) return bounded.error();
  }
  const std::size_t count = array == nullptr ? 1 : array->size();
  jobs.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    core::JobSpec& job = jobs.emplace_back();
    job.retry.max_attempts = core::kUnsaidAttempts;
    const Status read = array == nullptr
                            ? schema::job_spec_table().read(body, job)
                            : schema::job_spec_table().read((*array)[i], job, fmt::format("[{}]", i));
    if (!read.ok()) return read.error();
  }
  return jobs;
}

void post_jobs(const ServicePtr& service, const CallPtr& call) {
  const bool quick = call->request().body.size() <= kQuickBody;
  if (quick) return submit(service, call);
  service->duty(call, [service, call] { submit(service, call); });
}

void list_jobs(const ServicePtr& service, const CallPtr& call) {
  const std::optional<ports::JobFilter> filter = query_by(call, job_filter_table());
  if (!filter) return;
  service->read(call, [service, call, filter = *filter] {
    const Result<std::vector<ports::JobRow>> rows = service->jobs.list(call->who(), filter);
    if (!rows.ok()) return call->fail(rows.error());
    answer_page(call, filter, *rows);
  });
}

void get_job(const ServicePtr& service, const CallPtr& call) {
  read_of_job(service, call, [service, call](const services::JobKey& key) {
    const Result<ports::JobRow> row = service->jobs.get(call->who(), key);
    if (!row.ok()) return call->fail(row.error());
    http::Response response = http::Response::json(200, job_table().write(*row).dump() + "\n");
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
    const Result<std::vector<ports::AttemptRow>> attempts = service->jobs.attempts(call->who(), key);
    if (!attempts.ok()) return call->fail(attempts.error());
    Json body = Json::array();
    for (const ports::AttemptRow& attempt : *attempts) body.push(attempt_table().write(attempt));
    call->send(200, body);
  });
}

void get_explain(const ServicePtr& service, const CallPtr& call) {
  read_of_job(service, call, [service, call](const services::JobKey& key) {
    service->explain.look(
        call->who(), key,
        service->then<services::ExplainInput>(call, [service, call](services::ExplainInput input) {
          service->read(call, [call, input = std::move(input)] {
            call->send(200, explanation_table().write(services::explain_job(input)));
          });
        }));
  });
}

}  // namespace drover::api
