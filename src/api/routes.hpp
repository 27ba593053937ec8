#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "drover/base/json.hpp"
#include "drover/base/limits.hpp"
#include "drover/http/router.hpp"
#include "drover/schema/table.hpp"

#include "handlers.hpp"

// One table of what is served (routes.cpp; the rows of workers in routes_worker_protocol.cpp). The router,
// the check of who may call and of unknown parameters, and the OpenAPI document are made from it, so that
// what is documented is what happens.
namespace drover::api {

// Whom a route is for, and so what a request must bring.
enum class Who {
  anyone,   // whoever reaches the port: requests of people need no token yet
  machine,  // a bootstrap token, from the user data of an instance that starts
  worker,   // the token of a worker: of the one in the path, if there is one
  attempt   // a worker's token, and that of the attempt in the path
};

// What a request needs, and so which refusals it may get.
enum class Reach {
  process,  // nothing but the process: none
  memory,   // the leader's memory: 503 when this daemon does not lead
  store,    // the store: 503 while it is out of reach, 429 when too many wait for it
  commit    // a commit: those of `store`, and 507 when the store has no room
};

// The schema of a body, by its table. described<job_table> and list_of<job_table> are two.
using Describe = Json (*)(schema::Components&);
template <auto table>
Json described(schema::Components& components) {
  return table().describe(components);
}
template <auto table>
Json list_of(schema::Components& components) {
  return schema::describe_list(table().describe(components), 0, SIZE_MAX);
}

// The parameters of a query, by their table.
struct Parameter {
  std::string_view name;
  std::string_view documentation;
  Json schema;
  bool required = false;
};
using Query = std::vector<Parameter> (*)(schema::Components&);
template <auto table>
std::vector<Parameter> query(schema::Components& components) {
  std::vector<Parameter> out;
  const typename std::decay_t<decltype(table())>::Value standard{};
  for (const auto& one : table().fields()) {
    Json described = one.describe(components);
    const Json value = one.write(standard);
    const bool optional = one.needed.empty();
    if (optional && schema::worth_saying(value) && described.find("$ref") == nullptr)
      described.set("default", value);
    out.push_back({one.name, one.documentation, std::move(described), !optional});
  }
  return out;
}

struct Body {
  enum class Kind {
    none,      // an empty one, or {}
    json,      // by its schema
    optional,  // likewise, and an empty one is {}
    bytes      // any; the sender is checked before it is read
  };
  Kind kind = Kind::none;
  Describe schema = nullptr;
  std::int64_t max_bytes = static_cast<std::int64_t>(limits::kBodyBytes);
  bool spool = false;  // to a file
};

constexpr Body json_body(Describe schema) {
  return {.kind = Body::Kind::json, .schema = schema};
}
constexpr Body optional_json_body(Describe schema) {
  return {.kind = Body::Kind::optional, .schema = schema};
}

struct RouteAnswer {
  int status = 200;
  std::string_view says;
  Describe schema = nullptr;                   // of JSON
  std::string_view type = "application/json";  // empty: no body
  std::vector<std::string_view> headers = {};  // names; header_documentation() has their sentences
  bool or_shell = false;  // application/x-sh too, when Accept names it (docs/worker-protocol.md)
};

struct Route {
  std::string_view method;
  std::string_view also = {};  // a second method that does the same
  std::string_view pattern;
  Handler handler = nullptr;
  Who who = Who::anyone;
  Reach reach = Reach::store;
  std::string_view id;  // the operation's name in the OpenAPI document
  std::string_view tag;
  std::string_view says;       // a sentence
  std::string_view more = {};  // further ones
  Query query = nullptr;
  Body body = {};
  bool if_match = false;  // the header If-Match names the version that is meant
  std::vector<RouteAnswer> answers;
  std::vector<int> refusals = {};  // statuses, beside those that follow from the other members
  bool plain_errors = false;       // errors are plain text, not problems: the dialect of another system
  bool takes_anything = false;     // parameters and bodies that it does not know are ignored: for probes
  bool tail = false;               // the last {name} takes the rest of the path: an artifact's
  http::When when = {};            // for which requests, where several rows share a method and a path
  bool acts = false;               // a GET that changes something: HEAD does not run it
};

const std::vector<Route>& routes();
std::vector<Route> worker_protocol_routes();  // those of them that workers call
// What a path's {name} stands for, for people; empty for one that no row may have.
std::string_view path_documentation(std::string_view name);
std::string_view header_documentation(std::string_view name);

// The OpenAPI 3.1 document of all routes. The same daemon always gives the same text.
Json openapi(std::string_view version);

}  // namespace drover::api
