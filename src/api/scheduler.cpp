#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "drover/base/text.hpp"

#include "bodies.hpp"
#include "handlers.hpp"
#include "support.hpp"

// /scheduler has the form that clients of another system, Scale, expect: errors are plain text, not problems.
namespace drover::api {
namespace {

void send_text(const CallPtr& call, int status, const std::string& said, int retry_after_s = 0) {
  const std::string text = http::quoted(said);
  // A client that accepts JSON alone gets the sentence as a JSON string.
  const bool json = trim(call->request().header("accept")) == "application/json";
  http::Response response =
      json ? http::Response::json(status, Json(text).dump()) : http::Response::text(status, text);
  if (retry_after_s > 0) response.with("Retry-After", std::to_string(retry_after_s));
  call->send(std::move(response));
}

void fail_text(const CallPtr& call, const Error& error) {
  if (error.code == Errc::unavailable || error.code == Errc::overloaded) {
    return send_text(call, http::status_of(error.code), error.message, std::max(1, error.retry_after_s));
  }
  log_error("/scheduler: {}", error.message);
  send_text(call, 500, "An internal error occurred.");
}

template <class T>
engine::Done<T> or_text(const CallPtr& call, std::function<void(const T&)> next) {
  return [call, next = std::move(next)](const Result<T>& result) {
    if (!result.ok()) return fail_text(call, result.error());
    next(*result);
  };
}

std::string scheduler_body(bool paused) {
  return pause_table().write({paused}).dump();
}

// The values that Scale took for a boolean.
std::optional<bool> lenient_boolean(const Json& value) {
  if (const bool* flag = value.if_bool()) return *flag;
  double storage = 0;
  if (const double* number = value.if_number(storage); number != nullptr && (*number == 0 || *number == 1)) {
    return *number == 1;
  }
  const std::string* text = value.if_string();
  if (text == nullptr) return std::nullopt;
  constexpr std::array<std::string_view, 3> kTrue{"t", "True", "1"};
  constexpr std::array<std::string_view, 3> kFalse{"f", "False", "0"};
  if (std::find(kTrue.begin(), kTrue.end(), *text) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), *text) != kFalse.end()) return false;
  return std::nullopt;
}

// Whether to pause, or what is wrong with the body. Unexpected fields are reported first, all of them, then a
// body without fields, then a wrong value.
Result<bool> wanted_pause(const http::Request& request) {
  const Result<Json> body = body_json(request, true);
  if (!body.ok()) return invalid({}, "JSON parse error - " + body.error().message);
  const Json::Object* object = body->if_object();
  if (object == nullptr) return invalid({}, "A JSON object is expected.");
  std::string unexpected;
  for (const Json::Member& member : *object) {
    if (member.key != "is_paused") unexpected += (unexpected.empty() ? "" : ", ") + member.key;
  }
  if (!unexpected.empty()) return invalid({}, "Unexpected fields: " + unexpected);
  if (object->empty()) return invalid({}, "No fields specified for update.");
  const std::optional<bool> paused = lenient_boolean(object->front().value);
  if (!paused) {
    return invalid({}, fmt::format("Validation Error: {} value must be either True or False.",
                                   object->front().value.dump()));
  }
  return *paused;
}

// The URL of the request, which Scale repeats in its answer.
std::string absolute_url(const http::Request& request) {
  const std::string host(request.host());
  return host.empty() ? request.path : "http://" + host + request.path;
}

}  // namespace

void get_scheduler(const ServicePtr& service, const CallPtr& call) {
  const Result<bool> paused = service->scheduler.paused(call->who());
  if (!paused.ok()) return fail_text(call, paused.error());
  call->send(http::Response::json(200, scheduler_body(*paused)));
}

void patch_scheduler(const ServicePtr& service, const CallPtr& call) {
  const Result<bool> paused = wanted_pause(call->request());
  if (!paused.ok()) return send_text(call, 400, paused.error().message);
  service->scheduler.pause(call->who(), *paused, or_text<Ok>(call, [call, paused = *paused](Ok) {
                             call->did(paused ? "scheduler paused" : "scheduler resumed");
                             http::Response response = http::Response::json(201, scheduler_body(paused));
                             response.with("Location", absolute_url(call->request()));
                             call->send(std::move(response));
                           }));
}

}  // namespace drover::api
