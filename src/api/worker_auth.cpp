#include "worker_auth.hpp"

#include <fmt/format.h>

#include "drover/base/text.hpp"

#include "support.hpp"

namespace drover::api {

Result<services::Worker> worker_auth(const http::Request& request, std::string_view path_worker) {
  const std::string_view token = bearer(request);
  if (token.empty()) return no_token();
  const std::size_t dot = token.find('.');
  const std::optional<std::int64_t> worker = parse_int(token.substr(0, dot));
  if (dot == std::string_view::npos || !worker ||
      (!path_worker.empty() && parse_int(path_worker) != worker)) {
    return unauthenticated("this is not the token of this worker");
  }
  return services::Worker{WorkerId{*worker}, Secret(std::string(token.substr(dot + 1)))};
}

std::string worker_bearer(WorkerId worker, const Secret& token) {
  return fmt::format("{}.{}", worker.value, token.reveal());
}

Error no_token() {
  return unauthenticated("a bearer token is required");
}

Status admit_worker(const Service& service, const http::Request& head) {
  const Result<services::Worker> auth = worker_auth(head);
  return auth.ok() ? service.workers.admit(*auth) : Status(auth.error());
}

Result<services::Attempt> attempt_call(const Call& call) {
  Result<services::Worker> auth = worker_auth(call.request());
  if (!auth.ok()) return auth.error();
  const std::string_view token = call.request().header("x-drover-attempt-token");
  if (token.empty()) return unauthenticated("the header X-Drover-Attempt-Token is required");
  const Result<services::JobKey> job = job_key(call.path("job"));
  if (!job.ok()) return job.error();
  const std::optional<std::int64_t> attempt = parse_int(call.path("attempt"));
  if (!attempt || *attempt < 1 || *attempt > INT32_MAX) {
    return not_found(fmt::format("job {} has no such attempt", job->number.value));
  }
  return services::Attempt{std::move(*auth), engine::AttemptRef{job->number, static_cast<int>(*attempt),
                                                                Secret(std::string(token))}};
}

}  // namespace drover::api
