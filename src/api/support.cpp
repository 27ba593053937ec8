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
    return invalid({}, "the request has no body; JSON is expected");
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

}  // namespace drover::api
