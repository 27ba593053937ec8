#include <algorithm>

#include <fmt/format.h>

#include "drover/api/render.hpp"
#include "drover/base/failpoint.hpp"
#include "drover/base/limits.hpp"
#include "drover/base/text.hpp"

#include "fields.hpp"
#include "handlers.hpp"
#include "support.hpp"
#include "worker_auth.hpp"

namespace drover::api {
namespace {

constexpr std::size_t kReasonBytes = 4096;
constexpr std::size_t kAttemptsPerHeartbeat = 4096;

bool valid_nonce(std::string_view text) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), good);
}

void read_nonce(Fields& fields, std::string& out) {
  fields.require("nonce");
  if (fields.text("nonce", out, 0, 1024) && !valid_nonce(out)) {
    fields.fail("nonce", "must be 1 to 64 letters, digits or hyphens");
  }
}

// Text that a machine wrote for people to read: cut and cleaned rather than refused.
std::string lenient_text(std::string text) {
  if (text.size() > kReasonBytes) text.resize(kReasonBytes);
  while (!text.empty() && !storable_text(text)) text.pop_back();  // a character that was cut in half
  return text;
}

void read_lenient(Fields& fields, std::string_view key, std::string& out) {
  const Json* value = fields.any_but_null(key);
  if (value == nullptr) return;
  if (value->if_string() == nullptr) return fields.wrong_type(key, "string", *value);
  out = lenient_text(*value->if_string());
}

// The text of an interruption notice, as the machine's metadata service gave it.
std::optional<std::string> read_notice(Fields& fields) {
  std::string notice;
  read_lenient(fields, "notice", notice);
  return notice.empty() ? std::nullopt : std::optional(std::move(notice));
}

void read_optional(Fields& fields, std::string_view key, std::optional<int>& out, int min, int max) {
  if (fields.any_but_null(key) == nullptr) return;
  int value = 0;
  if (fields.integer(key, value, min, max)) out = value;
}

void answer(const CallPtr& call, const Json& json, std::string shell) {
  if (!wants_shell(call->request())) return call->send(200, json);
  http::Response response = http::Response::text(200, std::move(shell));
  response.headers.front().second = "application/x-sh";
  call->send(std::move(response));
}

Result<engine::Registration> registration(const Json& body, std::string_view token) {
  engine::Registration out;
  out.bootstrap = Secret(std::string(token));
  Fields fields(body, "");
  fields.require("instance_id");
  fields.text("instance_id", out.instance_id, 1, 128);
  read_nonce(fields, out.nonce);
  fields.integer("slots", out.slots, 1, limits::kSlotsPerWorker);
  fields.number("cpus", out.capacity.cpus, 0, 65'536);
  fields.integer("mem_mib", out.capacity.mem_mib, 0, limits::kMebibytes);
  fields.integer("disk_mib", out.capacity.disk_mib, 0, limits::kMebibytes);
  fields.integer("gpus", out.capacity.gpus, 0, 1024);
  fields.text("hostname", out.hostname, 0, limits::kNameCharacters);
  fields.text("version", out.version, 0, limits::kNameCharacters);
  if (Status done = fields.finish(true); !done.ok()) return done.error();
  return out;
}

Result<engine::AttemptRef> attempt_in(const Json& json, const std::string& field) {
  engine::AttemptRef ref;
  std::string token;
  Fields fields(json, field);
  for (const std::string_view key : {"job", "attempt", "token"}) fields.require(key);
  fields.integer("job", ref.job.value, 1, INT64_MAX);
  fields.integer("attempt", ref.attempt, 1, INT32_MAX);
  fields.text("token", token, 0, 256);
  if (Status done = fields.finish(true); !done.ok()) return done.error();
  ref.token = Secret(std::move(token));
  return ref;
}

Result<engine::Heartbeat> heartbeat_in(const Json& body, services::Worker auth) {
  engine::Heartbeat out;
  out.auth = std::move(auth);
  Fields fields(body, "");
  fields.require("attempts");
  if (const Json* attempts = fields.any("attempts"); attempts != nullptr) {
    const Json::Array* array = attempts->if_array();
    if (array == nullptr) fields.wrong_type("attempts", "array", *attempts);
    if (array != nullptr && array->size() > kAttemptsPerHeartbeat)
      fields.fail("attempts", "has too many elements");
    for (std::size_t i = 0; array != nullptr && i < array->size() && !fields.failed(); ++i) {
      Result<engine::AttemptRef> ref = attempt_in((*array)[i], fmt::format("attempts[{}]", i));
      if (!ref.ok()) return ref.error();
      out.attempts.push_back(std::move(*ref));
    }
  }
  out.notice = read_notice(fields);
  if (Status done = fields.finish(true); !done.ok()) return done.error();
  return out;
}

Result<core::Outcome> reported_outcome(Fields& fields) {
  std::string text;
  fields.require("outcome");
  fields.text("outcome", text, 0, 64);
  const std::optional<core::Outcome> outcome = core::parse_outcome(text);
  if (!outcome || *outcome == core::Outcome::interruption) {
    fields.fail("outcome", "must be succeeded, failure, stopped or infra");
    return core::Outcome::failure;
  }
  return *outcome;
}

void report(const ServicePtr& service, const CallPtr& call, engine::Report report) {
  DROVER_FAILPOINT("api.report");
  service->workers.report(std::move(report), service->then<engine::ReportAnswer>(
                                                 call, [call](const engine::ReportAnswer& reported) {
                                                   answer(call, report_json(reported), report_sh(reported));
                                                 }));
}

}  // namespace

void get_bootstrap(const ServicePtr& service, const CallPtr& call) {
  const std::string token(bearer(call->request()));
  if (token.empty()) return call->fail(no_token());
  service->duty(call, [service, call, token] {
    if (const Status known = service->workers.admit_machine(token); !known.ok())
      return call->fail(known.error());
    http::Response response = http::Response::text(200, service->deps.worker_program());
    response.headers.front().second = "text/x-shellscript";
    call->send(std::move(response));
  });
}

void register_worker(const ServicePtr& service, const CallPtr& call) {
  const std::string_view token = bearer(call->request());
  if (token.empty()) return call->fail(no_token());
  const std::optional<Json> body = body_or_fail(call);
  if (!body) return;
  const Result<engine::Registration> wanted = registration(*body, token);
  if (!wanted.ok()) return call->fail(wanted.error());
  DROVER_FAILPOINT("api.register");
  service->workers.register_worker(
      *wanted, service->then<engine::Registered>(call, [call](const engine::Registered& registered) {
        call->did("worker registered", {{"worker", std::to_string(registered.worker.value)},
                                        {"pool", registered.pool},
                                        {"slots", std::to_string(registered.slots)}});
        const std::string bearer_token = worker_bearer(registered.worker, registered.token);
        answer(call, registered_json(registered, bearer_token), registered_sh(registered, bearer_token));
      }));
}

void claim(const ServicePtr& service, const CallPtr& call) {
  Result<services::Worker> auth = worker_auth(call->request(), call->path("worker"));
  if (!auth.ok()) return call->fail(auth.error());
  const std::optional<Json> body = body_or_fail(call);
  if (!body) return;
  engine::ClaimRequest request;
  request.auth = std::move(*auth);
  std::int64_t wait = limits::kLongPoll.count();
  Fields fields(*body, "");
  read_nonce(fields, request.nonce);
  fields.integer("slots", request.slots, 1, limits::kSlotsPerWorker);
  fields.integer("wait_s", wait, 0, 3600);
  if (Status done = fields.finish(true); !done.ok()) return call->fail(done.error());
  request.wait = std::min(Seconds(wait), limits::kLongPoll);
  DROVER_FAILPOINT("api.claim");
  request.open = [reply = call->reply()] { return reply.open(); };
  service->workers.claim(
      std::move(request),
      service->then<engine::ClaimAnswer>(call, [service, call](const engine::ClaimAnswer& claimed) {
        std::vector<engine::Delivery> deliveries;
        for (const engine::ClaimedJob& job : claimed.jobs)
          deliveries.push_back({job.attempt.job, job.attempt.attempt, job.delivery});
        const bool shell = wants_shell(call->request());
        http::Response response = shell ? http::Response::text(200, claim_sh(claimed))
                                        : http::Response::json(200, claim_json(claimed).dump() + "\n");
        if (shell) response.headers.front().second = "application/x-sh";
        call->send(std::move(response), [service, deliveries = std::move(deliveries)](bool delivered) {
          if (!delivered && !deliveries.empty()) service->workers.not_delivered(deliveries);
        });
      }));
}

void heartbeat(const ServicePtr& service, const CallPtr& call) {
  Result<services::Worker> auth = worker_auth(call->request(), call->path("worker"));
  if (!auth.ok()) return call->fail(auth.error());
  const std::optional<Json> body = body_or_fail(call);
  if (!body) return;
  Result<engine::Heartbeat> beat = heartbeat_in(*body, std::move(*auth));
  if (!beat.ok()) return call->fail(beat.error());
  service->workers.heartbeat(std::move(*beat), service->then<engine::HeartbeatAnswer>(
                                                   call, [call](const engine::HeartbeatAnswer& heard) {
                                                     answer(call, heartbeat_json(heard), heartbeat_sh(heard));
                                                   }));
}

void finish_attempt(const ServicePtr& service, const CallPtr& call) {
  Result<services::Attempt> caller = attempt_call(*call);
  if (!caller.ok()) return call->fail(caller.error());
  const std::optional<Json> body = body_or_fail(call);
  if (!body) return;
  engine::Report out{std::move(caller->worker), std::move(caller->attempt), {}, {}, {}, {}, {}};
  Fields fields(*body, "");
  const Result<core::Outcome> outcome = reported_outcome(fields);
  read_optional(fields, "exit_code", out.exit_code, 0, 255);
  read_optional(fields, "signal", out.signal, 1, 64);
  read_lenient(fields, "reason", out.reason);
  if (Status done = fields.finish(true); !done.ok()) return call->fail(done.error());
  out.outcome = *outcome;
  report(service, call, std::move(out));
}

void release_attempt(const ServicePtr& service, const CallPtr& call) {
  Result<services::Attempt> caller = attempt_call(*call);
  if (!caller.ok()) return call->fail(caller.error());
  const std::optional<Json> body = body_or_fail(call, true);
  if (!body) return;
  engine::Report out{std::move(caller->worker), std::move(caller->attempt), {}, {}, {}, {}, {}};
  Fields fields(*body, "");
  read_lenient(fields, "reason", out.reason);
  out.notice = read_notice(fields);
  if (Status done = fields.finish(true); !done.ok()) return call->fail(done.error());
  report(service, call, std::move(out));
}

}  // namespace drover::api
