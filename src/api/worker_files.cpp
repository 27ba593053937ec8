#include <fmt/format.h>

#include "drover/base/failpoint.hpp"
#include "drover/base/text.hpp"

#include "bodies.hpp"
#include "handlers.hpp"
#include "queries.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

// Answers a conflict with 409 and the offset to go on from, any other error as it is.
void fail_append(const CallPtr& call, const Error& error) {
  http::Response response = http::problem(error);
  if (error.code == Errc::conflict) {
    const std::int64_t next = parse_int(error.detail).value_or(0);
    Result<Json> body = parse_json(std::get<std::string>(response.body));
    if (body.ok()) response.body = body->set("next_offset", next).dump() + "\n";
    response.with("X-Drover-Next-Offset", std::to_string(next));
  }
  call->send(std::move(response));
}

void append_log(Service& service, const CallPtr& call, const ports::OpenAttempt& attempt,
                std::int64_t offset) {
  DROVER_FAILPOINT("api.log");
  const Result<std::int64_t> next =
      service.workers.append_log(attempt, call->path("stream"), offset, call->request().body);
  if (!next.ok()) return fail_append(call, next.error());
  service.followers.grew(attempt.job);
  if (wants_shell(call->request())) {
    http::Response response = http::Response::text(200, fmt::format("next_offset={}\n", *next));
    response.headers.front().second = "application/x-sh";
    return call->send(std::move(response));
  }
  call->send(200, log_appended_table().write({*next}));
}

void keep_file(const ServicePtr& service, const CallPtr& call, const services::Attempt& caller,
               const std::string& name) {
  const std::shared_ptr<http::SpooledFile> file = call->request().spooled;
  DROVER_FAILPOINT("api.artifact");
  if (file == nullptr) return call->fail(internal("the body of an artifact was not spooled"));
  service->workers.keep_file(
      caller, name, file->path(), file->size(),
      service->then<Sha256>(call, [call, name, size = file->size()](const Sha256& hash) {
        const bool checkpoint = name == ports::kCheckpointName;
        call->send(201, file_kept_table().write({checkpoint ? "" : name, size, hash}));
      }));
}

void put_file(const ServicePtr& service, const CallPtr& call, const std::string& name) {
  service->workers.admit(call->attempt(), service->then_duty<ports::OpenAttempt>(
                                              call, [service, call, name](const ports::OpenAttempt&) {
                                                keep_file(service, call, call->attempt(), name);
                                              }));
}

}  // namespace

void post_log(const ServicePtr& service, const CallPtr& call) {
  const std::string& stream = call->path("stream");
  if (stream != "stdout" && stream != "stderr") {
    return call->fail(not_found("a job's logs are stdout and stderr"));
  }
  const std::optional<AppendQuery> query = query_by(call, append_query_table());
  if (!query) return;
  service->workers.admit(call->attempt(),
                         service->then_duty<ports::OpenAttempt>(
                             call, [service, call, from = query->offset](const ports::OpenAttempt& attempt) {
                               append_log(*service, call, attempt, from);
                             }));
}

void put_artifact(const ServicePtr& service, const CallPtr& call) {
  const std::string& name = call->path("name");
  if (Status named = ports::check_artifact_name(name); !named.ok()) return call->fail(named.error());
  put_file(service, call, name);
}

void put_checkpoint(const ServicePtr& service, const CallPtr& call) {
  put_file(service, call, std::string(ports::kCheckpointName));
}

}  // namespace drover::api
