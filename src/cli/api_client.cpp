#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "drover/base/text.hpp"
#include "drover/cli/client.hpp"

namespace drover::cli {
namespace {

constexpr std::size_t kReplyBytes = 64UL * 1024 * 1024;
constexpr std::size_t kReasonBytes = 1000;  // of a refusal in plain text

Errc code_of(int status) {
  switch (status) {
    case 400:
    case 422:
      return Errc::invalid;
    case 401:
      return Errc::unauthenticated;
    case 403:
      return Errc::forbidden;
    case 404:
      return Errc::not_found;
    case 409:
    case 412:
      return Errc::conflict;
    case 413:
      return Errc::too_large;
    case 429:
      return Errc::overloaded;
    case 503:
      return Errc::unavailable;
    default:
      return Errc::internal;
  }
}

// The reason of a problem document, or the text of a route that answers in text. An answer in another form
// does not come from a daemon.
Error refused(const ports::HttpReply& reply, const std::string& base) {
  const auto problem = parse_json(reply.body);
  const Json* detail = problem.ok() ? problem->find("detail") : nullptr;
  if (detail != nullptr && detail->if_string() != nullptr) {
    return {code_of(reply.status), for_terminal(*detail->if_string())};
  }
  const std::string text(trim(std::string_view(reply.body).substr(0, kReasonBytes)));
  if (!text.empty() && reply.header("content-type").starts_with("text/plain"))
    return {code_of(reply.status), for_terminal(text)};
  return internal(
      fmt::format("{} answered HTTP {} without a reason: is it a Drover daemon? (--url, DROVER_URL)", base,
                  reply.status));
}

bool is_good(const ports::HttpReply& reply) {
  return reply.status >= 200 && reply.status <= 299;
}

// The target of `Link: <target>; rel="next"`; empty: there is none.
std::string next_page(const ports::HttpReply& reply) {
  const std::string link = reply.header("link");
  const std::size_t end = link.find(">; rel=\"next\"");
  if (!link.starts_with('<') || end == std::string::npos) return {};
  return link.substr(1, end - 1);
}

Result<Json> parsed(const ports::HttpReply& reply) {
  if (reply.body.empty()) return Json();
  auto json = parse_json(reply.body);
  if (!json.ok()) return internal("the answer is not JSON: " + json.error().message);
  return json;
}

}  // namespace

ports::HttpRequest ApiClient::request(std::string_view method, std::string_view path) const {
  ports::HttpRequest request;
  request.method = method;
  request.url = base_ + std::string(path);
  request.total_timeout = Millis{30'000};
  request.max_reply_bytes = kReplyBytes;
  return request;
}

Result<ports::HttpReply> ApiClient::call(const ports::HttpRequest& request) {
  auto reply = http_.send(request);
  if (reply.ok() && !is_good(*reply)) return refused(*reply, base_);
  return reply;
}

Result<std::string> ApiClient::text(std::string_view path) {
  auto reply = call(request("GET", path));
  if (!reply.ok()) return reply.error();
  return std::move(reply->body);
}

Result<Json> ApiClient::get(std::string_view path) {
  const auto reply = call(request("GET", path));
  if (!reply.ok()) return reply.error();
  return parsed(*reply);
}

Result<Json> ApiClient::send(std::string_view method, std::string_view path, const Json& body) {
  ports::HttpRequest sent = request(method, path);
  if (!body.is_null()) {
    sent.headers.emplace_back("Content-Type", "application/json");
    sent.body = body.dump();
  }
  const auto reply = call(sent);
  if (!reply.ok()) return reply.error();
  return parsed(*reply);
}

Status ApiClient::pages(std::string path, const std::function<bool(const Json& item)>& take) {
  while (!path.empty()) {
    const auto reply = call(request("GET", path));
    if (!reply.ok()) return reply.error();
    const auto page = parsed(*reply);
    if (!page.ok()) return page.error();
    if (page->if_array() == nullptr || page->if_array()->empty()) return Ok{};
    for (const Json& item : *page->if_array()) {
      if (!take(item)) return Ok{};
    }
    path = next_page(*reply);
  }
  return Ok{};
}

Status ApiClient::log(const std::string& path, std::optional<int> attempt,
                      const std::function<bool(std::string_view piece)>& take) {
  std::string query = attempt ? fmt::format("?attempt={}", *attempt) : "";
  std::size_t offset = 0;
  while (true) {
    std::size_t got = 0;
    bool wanted = true;
    bool known = false;  // which attempt this log is of
    ports::HttpRequest request = this->request("GET", path + query);
    request.on_body = [&](const ports::HttpReply& head, std::string_view piece) {
      got += piece.size();
      const std::string which = head.header("x-drover-attempt");
      known = !which.empty();
      query = fmt::format("?attempt={}&offset={}", which, offset + got);
      return wanted = take(piece);
    };
    const auto reply = call(request);
    if (reply.ok() || !wanted) return Ok{};
    // The daemon closes the connection of a client that stops reading, as one in front of a pager does. The
    // log is asked for again from where it stopped.
    if (got == 0 || !known) return reply.error();
    offset += got;
  }
}

}  // namespace drover::cli
