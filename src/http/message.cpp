#include "drover/http/message.hpp"

#include <algorithm>

#include <unistd.h>

#include "drover/base/text.hpp"

namespace drover::http {

SpooledFile::~SpooledFile() {
  ::unlink(path_.c_str());
}

std::string_view Request::header(std::string_view lower_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_name) return value;
  }
  return {};
}

std::string_view Request::host() const {
  return authority.empty() ? header("host") : std::string_view(authority);
}

bool Request::named_host() const {
  const auto is_host = [](const auto& field) { return field.first == "host"; };
  return !authority.empty() || std::any_of(headers.begin(), headers.end(), is_host);
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

Response Response::json(int status, std::string body) {
  return Response{status, {{"Content-Type", "application/json"}}, std::move(body)};
}

Response Response::text(int status, std::string body) {
  return Response{status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(body)};
}

Response& Response::with(std::string name, std::string value) {
  headers.emplace_back(std::move(name), std::move(value));
  return *this;
}

namespace {

Error bad_target(std::string message) {
  return invalid({}, std::move(message));
}

// "http://host:1/a?b" → "/a?b". Proxies send the absolute form, and a server has to take it (RFC 9112
// §3.2.2).
std::optional<std::string> origin_form(std::string_view target, std::string& authority) {
  authority.clear();
  if (!target.empty() && target.front() == '/') return std::string(target);
  const std::size_t colon = target.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view scheme = target.substr(0, colon);
  if (!iequals(scheme, "http") && !iequals(scheme, "https")) return std::nullopt;
  const std::string_view rest = target.substr(colon + 3);
  const std::size_t end = rest.find_first_of("/?");
  authority = rest.substr(0, end);
  if (authority.empty() || authority.find('@') != std::string::npos) return std::nullopt;
  if (end == std::string_view::npos) return "/";
  return (rest[end] == '?' ? "/" : "") + std::string(rest.substr(end));
}

}  // namespace

Status parse_target(std::string_view target, Request& request) {
  if (target == "*" && request.method == "OPTIONS") {
    request.path = request.raw_path = "*";
    return Ok{};
  }
  if (target.find('#') != std::string_view::npos)
    return bad_target("The request target holds a fragment ('#').");
  const std::optional<std::string> origin = origin_form(target, request.authority);
  if (!origin) return bad_target("The request target must begin with '/', or be a URL with a host alone.");
  const std::size_t mark = origin->find('?');
  request.raw_path = origin->substr(0, mark);
  std::optional<std::string> path = percent_decode(request.raw_path);
  if (!path) return bad_target("The path holds a broken percent escape.");
  if (!storable_text(*path)) return bad_target("The path holds a NUL or is not UTF-8.");
  request.path = std::move(*path);
  request.query.clear();
  if (mark == std::string::npos) return Ok{};
  auto query = parse_form(std::string_view(*origin).substr(mark + 1));
  if (!query) return bad_target("The query holds a broken percent escape.");
  for (const auto& [key, value] : *query) {
    if (!storable_text(key) || !storable_text(value))
      return bad_target("The query holds a NUL or is not UTF-8.");
  }
  request.query = std::move(*query);
  return Ok{};
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 425:
      return "Too Early";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return {};
  }
}

}  // namespace drover::http
