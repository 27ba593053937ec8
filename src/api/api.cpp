#include "drover/api/api.hpp"

#include "drover/http/hosts.hpp"

#include "routes.hpp"
#include "support.hpp"
#include "worker_auth.hpp"

namespace drover::api {
namespace {

// Who calls, by the tokens that the route's row asks for.
Result<services::Principal> identify(Who who, const Call& call) {
  switch (who) {
    case Who::anyone:
      return services::Principal(services::Operator{});
    case Who::machine:  // the handler checks the token itself: a service looks its launch up
      if (bearer(call.request()).empty()) return no_token();
      return services::Principal(services::Worker{});  // of no token, so that it may nothing that people may
    case Who::worker: {
      Result<services::Worker> worker = worker_auth(call.request(), call.path("worker"));
      if (!worker.ok()) return worker.error();
      return services::Principal(std::move(*worker));
    }
    case Who::attempt: {
      Result<services::Attempt> attempt = attempt_call(call);
      if (!attempt.ok()) return attempt.error();
      return services::Principal(std::move(*attempt));
    }
  }
  return no_token();
}

http::RouteHandler handler_of(const ServicePtr& service, const Route& route, bool changes) {
  return [service, handler = route.handler, who = route.who, changes](http::Context context) {
    const auto call = std::make_shared<Call>(std::move(context));
    if (changes) {
      if (Status origin = http::check_origin(call->request()); !origin.ok())
        return call->fail(origin.error());
    }
    Result<services::Principal> principal = identify(who, *call);
    if (!principal.ok()) return call->fail(principal.error());
    call->is_from(std::move(*principal));
    handler(service, call);
  };
}

// Checks who calls before a body of bytes is read, so that only workers can make the daemon spool files.
http::RouteGuard guard_of(const ServicePtr& service, const Route& route) {
  if (route.body.kind != Body::Kind::bytes) return {};
  return [service, tail = route.tail](const http::Request& head, const http::PathValues& path) {
    Status admitted = admit_worker(*service, head);
    return admitted.ok() && tail ? ports::check_artifact_name(path.find("name")->second) : admitted;
  };
}

http::Takes takes_of(const Route& route) {
  if (route.takes_anything) return http::Takes::anything;
  return route.body.kind == Body::Kind::none ? http::Takes::parameters : http::Takes::body;
}

http::Route http_route(const ServicePtr& service, const Route& route, std::string_view method) {
  std::vector<std::string> query;
  schema::Components components;
  if (route.query != nullptr) {
    for (const Parameter& one : route.query(components)) query.emplace_back(one.name);
  }
  return http::Route{.method = std::string(method),
                     .pattern = std::string(route.pattern),
                     .handler = handler_of(service, route, method != "GET" || route.acts),
                     .max_body = route.body.max_bytes,
                     .spool = route.body.spool,
                     .guard = guard_of(service, route),
                     .tail = route.tail,
                     .takes = takes_of(route),
                     .query = std::move(query),
                     .when = route.when,
                     .acts = route.acts};
}

}  // namespace

Api::Api(ApiDeps deps) : service_(std::make_shared<Service>(std::move(deps))) {
  describe_gauges(service_->deps.metrics);
}

Api::~Api() {
  stop();
}

void Api::add_routes(http::Router& router) {
  for (const Route& route : routes()) {
    router.add(http_route(service_, route, route.method));
    if (!route.also.empty()) router.add(http_route(service_, route, route.also));
  }
}

void Api::stop() {
  service_->followers.stop();
  service_->reads.stop();
  service_->duties.stop();
}

}  // namespace drover::api
