#include <algorithm>

#include <fmt/format.h>

#include "bodies.hpp"
#include "handlers.hpp"
#include "routes.hpp"

namespace drover::api {

void get_index(const ServicePtr& service, const CallPtr& call) {
  Index index{service->deps.version, {}};
  for (const Route& route : routes()) {
    index.routes.push_back(fmt::format("{} {}", route.method, route.pattern));
    if (!route.also.empty()) index.routes.push_back(fmt::format("{} {}", route.also, route.pattern));
  }
  std::sort(index.routes.begin(), index.routes.end());
  call->send(200, index_table().write(index));
}

void get_openapi(const ServicePtr& service, const CallPtr& call) {
  static const std::string document = openapi(service->deps.version).dump() + "\n";
  call->send(http::Response::json(200, document));
}

}  // namespace drover::api
