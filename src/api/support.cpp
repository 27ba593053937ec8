#include "support.hpp"

#include <fmt/format.h>

#include "drover/base/limits.hpp"
#include "drover/base/text.hpp"

namespace drover::api {

Result<services::JobKey> job_key(const std::string& text) {
  if (const std::optional<Uuid> id = parse_uuid(text)) {
    if (const std::optional<JobNumber> number = number_in(*id)) return services::JobKey{*number, id};
    return services::no_job(text);
  }
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  const std::optional<std::int64_t> number = digits ? parse_int(text) : std::nullopt;
  if (!number || *number < 1) return services::no_job(text);
  return services::JobKey{JobNumber{*number}, std::nullopt};
}

Result<std::optional<std::int64_t>> query_int(const http::Request& request, std::string_view name,
                                              std::int64_t min, std::int64_t max) {
  const std::optional<std::string_view> text = request.query_value(name);
  if (!text) return std::optional<std::int64_t>();
  const std::optional<std::int64_t> value = parse_int(*text);
  if (!value || *value < min || *value > max) {
    return invalid(std::string(name), max == INT64_MAX
                                          ? fmt::format("{} must be a whole number from {}", name, min)
                                          : fmt::format("{} must be from {} to {}", name, min, max));
  }
  return value;
}

Result<int> query_limit(const http::Request& request, int absent) {
  const auto limit = query_int(request, "limit", 1, limits::kPageRows);
  if (!limit.ok()) return limit.error();
  return static_cast<int>(limit->value_or(absent));
}

std::string next_link(const http::Request& request, int limit, std::string_view cursor,
                      const std::string& value) {
  std::string target = request.path + "?";
  for (const auto& [name, given] : request.query) {
    if (name == cursor || name == "limit") continue;
    target += percent_encode(name) + "=" + percent_encode(given) + "&";
  }
  return fmt::format("<{}limit={}&{}={}>; rel=\"next\"", target, limit, cursor, percent_encode(value));
}

Result<Json> body_json(const http::Request& request, bool empty_is_object) {
  if (trim(request.body).empty()) {
    if (empty_is_object) return Json::object();
    return Error{Errc::invalid, "the request has no body; JSON is expected"};
  }
  return parse_json(request.body);
}

std::optional<Json> body_or_fail(const CallPtr& call, bool empty_is_object) {
  Result<Json> body = body_json(call->request(), empty_is_object);
  if (body.ok()) return std::move(*body);
  call->fail(body.error());
  return std::nullopt;
}

std::string_view bearer(const http::Request& request) {
  const std::string_view value = request.header("authorization");
  constexpr std::string_view kScheme = "bearer ";
  if (value.size() <= kScheme.size() || !iequals(value.substr(0, kScheme.size()), kScheme)) return {};
  return trim(value.substr(kScheme.size()));
}

bool wants_shell(const http::Request& request) {
  for (const std::string_view item : split(request.header("accept"), ',')) {
    if (iequals(trim(split(item, ';').front()), "application/x-sh")) return true;
  }
  return false;
}

void set_queue(Json& to, const engine::QueueView& queue, bool counting) {
  to.set("ready", counting ? Json() : Json(queue.ready)).set("running", queue.leased);
  if (counting) to.set("counting", true);
}

}  // namespace drover::api
