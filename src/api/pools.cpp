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
  Result<std::vector<ports::PoolRow>> pools = service.deps.store.pools();
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

// The version that If-Match asks for; nullopt when it asks for none.
Result<std::optional<std::int64_t>> wanted_version(const http::Request& request) {
  const std::string_view text = trim(request.header("if-match"));
  if (text.empty() || text == "*") return std::optional<std::int64_t>();
  const bool quoted = text.size() > 2 && text.front() == '"' && text.back() == '"';
  const std::optional<std::int64_t> version =
      quoted ? parse_int(text.substr(1, text.size() - 2)) : std::nullopt;
  if (!version) return Error{Errc::conflict, "If-Match does not name a version of this pool; GET its ETag"};
  return version;
}

void apply_pool(const ServicePtr& service, const CallPtr& call, ports::PutPool command,
                std::function<void(const Error&)> on_error = {}) {
  const int status = command.create ? 201 : 200;
  auto done = service->then<ports::Applied>(call, [call, status](const ports::Applied& applied) {
    send_pool(call, status, std::get<ports::PoolPut>(applied).pool);
  });
  service->deps.engine.apply(std::move(command), [done = std::move(done), on_error = std::move(on_error)](
                                                     Result<ports::Applied> applied) {
    if (!applied.ok() && on_error) return on_error(applied.error());
    done(std::move(applied));
  });
}

}  // namespace

void list_pools(const ServicePtr& service, const CallPtr& call) {
  service->read(call, [service, call] {
    const Result<std::vector<ports::PoolRow>> pools = service->deps.store.pools();
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
  const auto version = wanted_version(call->request());
  if (!version.ok()) return call->fail(version.error());
  ports::PutPool command{std::move(*spec), false, *version, "", service->deps.clock.wall()};
  ports::PutPool creation = command;
  creation.create = true;
  const bool may_create = call->request().header("if-match").empty();
  apply_pool(service, call, std::move(command), [service, call, creation, may_create](const Error& error) {
    if (error.code != Errc::not_found || !may_create) return call->fail(error);
    apply_pool(service, call, creation);
  });
}

void patch_pool(const ServicePtr& service, const CallPtr& call) {
  service->read(call, [service, call] {
    const std::optional<Json> body = body_or_fail(call);
    if (!body) return;
    Result<ports::PoolRow> present = read_pool(*service, call->path("pool"));
    if (!present.ok()) return call->fail(present.error());
    const auto version = wanted_version(call->request());
    if (!version.ok()) return call->fail(version.error());
    Result<core::PoolSpec> spec = parse_pool_spec(*body, present->spec, present->spec.name);
    if (!spec.ok()) return call->fail(spec.error());
    // What was read is what is patched: an edit in between is a conflict, not lost.
    apply_pool(service, call,
               ports::PutPool{std::move(*spec), false, version->value_or(present->version), "",
                              service->deps.clock.wall()});
  });
}

}  // namespace drover::api
