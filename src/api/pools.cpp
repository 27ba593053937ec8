#include <algorithm>

#include <fmt/format.h>

#include "drover/api/pool_spec.hpp"
#include "drover/api/render.hpp"
#include "drover/base/text.hpp"

#include "handlers.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

Error no_pool(const std::string& name) {
  return Error{Errc::not_found, fmt::format("there is no pool {}", name)};
}

Result<ports::PoolRow> read_pool(Service& service, const std::string& name) {
  Result<std::vector<ports::PoolRow>> pools = service.deps.reads.pools();
  if (!pools.ok()) return pools.error();
  const auto found =
      std::find_if(pools->begin(), pools->end(), [&](const auto& pool) { return pool.spec.name == name; });
  if (found == pools->end()) return no_pool(name);
  return std::move(*found);
}

void send_pool(const CallPtr& call, int status, const ports::PoolRow& pool) {
  http::Response response = http::Response::json(status, pool_json(pool).dump() + "\n");
  response.with("ETag", fmt::format("\"{}\"", pool.version));
  if (status == 201) response.with("Location", "/pools/" + pool.spec.name);
  call->send(std::move(response));
}

// What If-Match asks for (RFC 9110 §13.1.1): any of several versions, or "*" for whichever there is.
struct IfMatch {
  bool given = false;
  bool any = false;
  std::vector<std::string> tags;
  [[nodiscard]] bool fits(std::int64_t version) const {
    return !given || any || std::find(tags.begin(), tags.end(), std::to_string(version)) != tags.end();
  }
};

// One `"tag"` or `W/"tag"` from the front of `text`; false when it is none. A weak tag is never one of ours.
bool take_tag(std::string_view& text, std::vector<std::string>& tags) {
  const bool weak = text.starts_with("W/");
  if (weak) text.remove_prefix(2);
  if (!text.starts_with('"')) return false;
  const std::size_t end = text.find('"', 1);
  if (end == std::string_view::npos) return false;
  if (!weak) tags.emplace_back(text.substr(1, end - 1));
  text = trim(text.substr(end + 1));
  return true;
}

Result<IfMatch> if_match(const http::Request& request) {
  const Error malformed = invalid("If-Match",
                                  "If-Match must be \"*\" or versions of the pool in double quotes, "
                                  "as GET gives one in ETag");
  IfMatch out;
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
      if (!take_tag(rest, out.tags)) return malformed;
      named = true;
      if (!rest.empty() && rest.front() != ',') return malformed;
      while (!rest.empty() && rest.front() == ',')
        rest = trim(rest.substr(1));  // an empty element says nothing
    }
    if (!named) return malformed;
  }
  return out;
}

void precondition_failed(const CallPtr& call, std::string_view detail) {
  call->send(http::problem(412, "precondition_failed", detail));
}

void apply_pool(const ServicePtr& service, const CallPtr& call, ports::PutPool edit,
                std::function<void(const Error&)> on_error = {}) {
  const int status = edit.create ? 201 : 200;
  using Answer = ports::PutPool::Answer;
  auto done = service->then<Answer>(call, [call, status](const Answer& put) {
    const ports::PoolRow& pool = put.pool;
    call->did(status == 201 ? "pool made" : "pool changed",
              {{"pool", pool.spec.name}, {"version", std::to_string(pool.version)}});
    send_pool(call, status, pool);
  });
  service->deps.engine.apply(
      std::move(edit), [done = std::move(done), on_error = std::move(on_error)](Result<Answer> applied) {
        if (!applied.ok() && on_error) return on_error(applied.error());
        done(std::move(applied));
      });
}

// Over a pool that is there. What was read is what is edited: an edit in between is a conflict, not lost.
void edit_pool(const ServicePtr& service, const CallPtr& call, const IfMatch& match,
               const ports::PoolRow& present, core::PoolSpec spec, bool pin) {
  if (!match.fits(present.version)) {
    return precondition_failed(call, fmt::format("the pool has version {}, which If-Match does not name; GET "
                                                 "it and look before editing",
                                                 present.version));
  }
  ports::PutPool edit{std::move(spec), false, {}, "", service->deps.clock.wall()};
  if (pin) edit.version = present.version;
  apply_pool(service, call, std::move(edit), [call, asked = match.given](const Error& error) {
    if (!asked || error.code != Errc::conflict) return call->fail(error);
    precondition_failed(call, error.message);
  });
}

}  // namespace

void list_pools(const ServicePtr& service, const CallPtr& call) {
  service->read(call, [service, call] {
    const Result<std::vector<ports::PoolRow>> pools = service->deps.reads.pools();
    if (!pools.ok()) return call->fail(pools.error());
    Json body = Json::array();
    for (const ports::PoolRow& pool : *pools) body.push(pool_json(pool));
    call->send(200, body);
  });
}

void create_pool(const ServicePtr& service, const CallPtr& call) {
  const std::optional<Json> body = body_or_fail(call);
  if (!body) return;
  Result<core::PoolSpec> spec = parse_pool_spec(*body, {});
  if (!spec.ok()) return call->fail(spec.error());
  apply_pool(service, call, ports::PutPool{std::move(*spec), true, {}, "", service->deps.clock.wall()});
}

void get_pool(const ServicePtr& service, const CallPtr& call) {
  service->read(call, [service, call] {
    const Result<ports::PoolRow> pool = read_pool(*service, call->path("pool"));
    if (!pool.ok()) return call->fail(pool.error());
    send_pool(call, 200, *pool);
  });
}

// The whole pool, present or new: members that are absent take their defaults.
void put_pool(const ServicePtr& service, const CallPtr& call) {
  const std::optional<Json> body = body_or_fail(call);
  if (!body) return;
  Result<core::PoolSpec> spec = parse_pool_spec(*body, {}, call->path("pool"));
  if (!spec.ok()) return call->fail(spec.error());
  const Result<IfMatch> match = if_match(call->request());
  if (!match.ok()) return call->fail(match.error());
  if (match->given) {
    return service->duty(call, [service, call, match = *match, spec = std::move(*spec)] {
      const Result<ports::PoolRow> present = read_pool(*service, call->path("pool"));
      if (present.ok()) return edit_pool(service, call, match, *present, spec, !match.any);
      if (present.error().code != Errc::not_found) return call->fail(present.error());
      precondition_failed(call, present.error().message);
    });
  }
  ports::PutPool edit{std::move(*spec), false, {}, "", service->deps.clock.wall()};
  ports::PutPool creation = edit;
  creation.create = true;
  apply_pool(service, call, std::move(edit), [service, call, creation](const Error& error) {
    if (error.code != Errc::not_found) return call->fail(error);
    apply_pool(service, call, creation);
  });
}

void patch_pool(const ServicePtr& service, const CallPtr& call) {
  service->duty(call, [service, call] {
    const std::optional<Json> body = body_or_fail(call, true);
    if (!body) return;
    const Result<IfMatch> match = if_match(call->request());
    if (!match.ok()) return call->fail(match.error());
    const Result<ports::PoolRow> present = read_pool(*service, call->path("pool"));
    if (!present.ok()) {
      if (!match->given || present.error().code != Errc::not_found) return call->fail(present.error());
      return precondition_failed(call, present.error().message);
    }
    Result<core::PoolSpec> spec = parse_pool_spec(*body, present->spec, present->spec.name);
    if (!spec.ok()) return call->fail(spec.error());
    edit_pool(service, call, *match, *present, std::move(*spec), true);
  });
}

}  // namespace drover::api
