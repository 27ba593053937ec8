#include <optional>

#include <fmt/format.h>

#include "drover/base/text.hpp"

#include "bodies.hpp"
#include "handlers.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

void send_pool(const CallPtr& call, int status, const ports::PoolRow& pool) {
  http::Response response = http::Response::json(status, pool_table().write(pool).dump() + "\n");
  response.with("ETag", fmt::format("\"{}\"", pool.version));
  if (status == 201) response.with("Location", "/pools/" + pool.spec.name);
  call->send(std::move(response));
}

// One `"tag"` or `W/"tag"` from the front of `text`; false when it is none. A weak tag is skipped, and so is
// a tag that is not a number as ETag has it: no pool can have such a version.
bool take_tag(std::string_view& text, std::vector<std::int64_t>& versions) {
  const bool weak = text.starts_with("W/");
  if (weak) text.remove_prefix(2);
  if (!text.starts_with('"')) return false;
  const std::size_t end = text.find('"', 1);
  if (end == std::string_view::npos) return false;
  const std::string_view tag = text.substr(1, end - 1);
  const std::optional<std::int64_t> version = parse_int(tag);
  if (!weak && version && std::to_string(*version) == tag) versions.push_back(*version);
  text = trim(text.substr(end + 1));
  return true;
}

// What If-Match asks for (RFC 9110 §13.1.1): any of several versions, or "*" for whichever there is.
Result<services::Match> if_match(const http::Request& request) {
  const Error malformed = invalid("If-Match",
                                  "If-Match must be \"*\" or versions of the pool in double quotes, "
                                  "as GET gives one in ETag");
  services::Match out;
  for (const auto& [name, value] : request.headers) {
    if (name != "if-match") continue;
    out.given = true;
    std::string_view rest = trim(value);
    if (rest == "*") {
      out.any = true;
      continue;
    }
    bool named = false;
    while (!rest.empty()) {
      if (!take_tag(rest, out.versions)) return malformed;
      named = true;
      if (!rest.empty() && rest.front() != ',') return malformed;
      while (!rest.empty() && rest.front() == ',') rest = trim(rest.substr(1));  // empty elements are allowed
    }
    if (!named) return malformed;
  }
  return out;
}

engine::Done<services::PoolPut> answer_put(const ServicePtr& service, const CallPtr& call) {
  return service->then<services::PoolPut>(call, [call](const services::PoolPut& put) {
    call->did(put.made ? "pool made" : "pool changed",
              {{"pool", put.pool.spec.name}, {"version", std::to_string(put.pool.version)}});
    send_pool(call, put.made ? 201 : 200, put.pool);
  });
}

}  // namespace

void list_pools(const ServicePtr& service, const CallPtr& call) {
  service->read(call, [service, call] {
    const Result<std::vector<ports::PoolRow>> pools = service->pools.list(call->who());
    if (!pools.ok()) return call->fail(pools.error());
    Json body = Json::array();
    for (const ports::PoolRow& pool : *pools) body.push(pool_table().write(pool));
    call->send(200, body);
  });
}

void create_pool(const ServicePtr& service, const CallPtr& call) {
  const std::optional<Json> body = body_or_fail(call);
  if (!body) return;
  Result<core::PoolSpec> spec = parse_pool(*body);
  if (!spec.ok()) return call->fail(spec.error());
  service->pools.create(call->who(), std::move(*spec), answer_put(service, call));
}

void get_pool(const ServicePtr& service, const CallPtr& call) {
  service->read(call, [service, call] {
    const Result<ports::PoolRow> pool = service->pools.get(call->who(), call->path("pool"));
    if (!pool.ok()) return call->fail(pool.error());
    send_pool(call, 200, *pool);
  });
}

// The whole pool, present or new: members that are absent take their defaults.
void put_pool(const ServicePtr& service, const CallPtr& call) {
  const std::optional<Json> body = body_or_fail(call);
  if (!body) return;
  Result<core::PoolSpec> spec = parse_pool(*body, {}, call->path("pool"));
  if (!spec.ok()) return call->fail(spec.error());
  const Result<services::Match> match = if_match(call->request());
  if (!match.ok()) return call->fail(match.error());
  const auto put = [service, call, match = *match, spec = std::move(*spec)] {
    service->pools.put(call->who(), spec, match, answer_put(service, call));
  };
  match->given ? service->duty(call, put) : put();
}

void patch_pool(const ServicePtr& service, const CallPtr& call) {
  service->duty(call, [service, call] {
    const std::optional<Json> body = body_or_fail(call, true);
    if (!body) return;
    const Result<services::Match> match = if_match(call->request());
    if (!match.ok()) return call->fail(match.error());
    const auto patched = [&](const core::PoolSpec& present) {
      return parse_pool(*body, present, present.name);
    };
    service->pools.edit(call->who(), call->path("pool"), *match, patched, answer_put(service, call));
  });
}

}  // namespace drover::api
