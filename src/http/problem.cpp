#include "drover/http/problem.hpp"

#include <algorithm>

#include "drover/base/json.hpp"
#include "drover/base/log.hpp"
#include "drover/base/text.hpp"

namespace drover::http {

namespace {

Response render(int status, std::string_view code, std::string_view detail, std::string_view field);

}  // namespace

Response problem(const Error& error) {
  const int status = status_of(error.code);
  if (error.code == Errc::internal) {
    log_error("internal error: {} {}", error.message, error.detail);
    return render(status, code_name(error.code), "Something went wrong inside the server; its log says what.",
                  {});
  }
  Response response = render(status, code_name(error.code), error.message, error.field);
  // 429 and 503 always get a Retry-After: without one some clients repeat at once. A full queue or a failover
  // takes a second at least.
  const bool transient = status == 429 || status == 503;
  if (error.retry_after_s > 0 || transient) {
    response.with("Retry-After", std::to_string(std::max(1, error.retry_after_s)));
  }
  return response;
}

Response problem(int status, std::string_view code, std::string_view detail) {
  return render(status, code, detail, {});
}

namespace {

constexpr std::size_t kFieldBytes = 512;

Response render(int status, std::string_view code, std::string_view detail, std::string_view field) {
  const std::string sentence = quoted(detail);
  Json body = Json::object();
  body.set("type", "about:blank")
      .set("title", reason_phrase(status))
      .set("status", status)
      .set("detail", sentence)
      .set("code", code);
  if (!field.empty()) body.set("field", quoted(field, kFieldBytes));
  body.set("message", sentence).set("error", sentence);
  Response response = Response::json(status, body.dump() + "\n");
  response.headers.front().second = "application/problem+json";
  if (status == 401) response.with("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace

int status_of(Errc code) {
  switch (code) {
    case Errc::invalid:
      return 400;
    case Errc::not_found:
      return 404;
    case Errc::conflict:
    case Errc::stale:
      return 409;
    case Errc::precondition_failed:
      return 412;
    case Errc::unauthenticated:
      return 401;
    case Errc::forbidden:
      return 403;
    case Errc::too_large:
      return 413;
    case Errc::overloaded:
      return 429;
    case Errc::unavailable:
      return 503;
    case Errc::timeout:
      return 504;
    case Errc::data:
      return 400;
    case Errc::commit_unknown:
      return 503;
    case Errc::storage_full:
      return 507;
    case Errc::internal:
      return 500;
  }
  return 500;
}

std::string_view code_name(Errc code) {
  switch (code) {
    case Errc::invalid:
      return "invalid";
    case Errc::not_found:
      return "not_found";
    case Errc::conflict:
      return "conflict";
    case Errc::precondition_failed:
      return "precondition_failed";
    case Errc::stale:
      return "stale";
    case Errc::unauthenticated:
      return "unauthenticated";
    case Errc::forbidden:
      return "forbidden";
    case Errc::too_large:
      return "too_large";
    case Errc::overloaded:
      return "overloaded";
    case Errc::unavailable:
      return "unavailable";
    case Errc::timeout:
      return "timeout";
    case Errc::data:
      return "data";
    case Errc::commit_unknown:
      return "commit_unknown";
    case Errc::storage_full:
      return "storage_full";
    case Errc::internal:
      return "internal";
  }
  return "internal";
}

std::string quoted(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return printable(text);
  std::size_t end = max_bytes;
  const auto continues = [&](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U;
  };
  while (end > 0 && continues(end)) --end;  // not within a character of several bytes
  return printable(text.substr(0, end)) + "…";
}

}  // namespace drover::http
