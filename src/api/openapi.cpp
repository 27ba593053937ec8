#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "drover/base/check.hpp"
#include "drover/base/text.hpp"

#include "bodies.hpp"
#include "routes.hpp"

namespace drover::api {
namespace {

constexpr std::string_view kDescription =
    "A job scheduler for one head node. HEAD works wherever GET does; a trailing slash makes no difference; "
    "every "
    "answer carries X-Request-Id. Errors are problems (RFC 9457), except under /scheduler. A method that a "
    "path does "
    "not take is 405, with Allow. A request to a name that is not served is 421, one from a page of another "
    "origin "
    "that changes something 403. Parameters that are not listed, and a body where none is listed, are "
    "refused with "
    "400, except under /scheduler, /metrics, /healthz and /readyz. `x-maxBytes` bounds the UTF-8 form of a "
    "string.";

// What a status means, wherever it comes from. Each becomes a response that all operations share.
struct Refusal {
  int status;
  std::string_view name;
  std::string_view says;
};
constexpr std::array kRefusals{
    Refusal{400, "Invalid", "Something is wrong with the request; `field` names the member or parameter."},
    Refusal{401, "Unauthenticated", "There is no token, or it is not this caller's."},
    Refusal{403, "Forbidden", "A page of another origin may change nothing."},
    Refusal{404, "NotFound", "There is no such thing."},
    Refusal{405, "MethodNotAllowed", "The path does not take this method; Allow names those that it takes."},
    Refusal{408, "TooSlow", "The request did not arrive in time."},
    Refusal{409, "Conflict", "The present state forbids it; the message says which and why."},
    Refusal{412, "PreconditionFailed", "If-Match names another version; nothing was changed."},
    Refusal{413, "TooLarge", "The body is larger than this operation takes, or holds too many things."},
    Refusal{421, "Misdirected", "The request was sent to a name that this daemon does not serve."},
    Refusal{429, "Overloaded", "Too many requests are waiting: try again after Retry-After."},
    Refusal{431, "HeadTooLarge", "The head of the request is too large."},
    Refusal{500, "Internal", "A defect of the daemon; its log says more under the request's id."},
    Refusal{501, "NotImplemented", "The transport that the daemon was started with has no streams."},
    Refusal{503, "Unavailable",
            "This daemon does not lead, or what it needs is out of reach: try again after Retry-After."},
    Refusal{507, "StorageFull", "There is no room for it; what was there is kept."}};

Json paths(schema::Components& components);
Json refusal_response(const Refusal& one, schema::Components& components, bool plain);
Json security_schemes();
Json tags();

}  // namespace

Json openapi(std::string_view version) {
  schema::Components components;
  Json served = paths(components);
  Json shared = Json::object();
  for (const Refusal& one : kRefusals)
    shared.set(std::string(one.name), refusal_response(one, components, false));
  Json info = Json::object();
  info.set("title", "Drover").set("version", version).set("description", kDescription);
  info.set("license", Json::object().set("name", "Apache-2.0").set("identifier", "Apache-2.0"));
  Json all = Json::object();
  all.set("schemas", components.schemas()).set("responses", std::move(shared));
  all.set("securitySchemes", security_schemes());
  Json out = Json::object();
  out.set("openapi", "3.1.0").set("info", std::move(info));
  out.set("servers", Json::array().push(Json::object().set("url", "/")));
  out.set("tags", tags()).set("paths", std::move(served));
  return std::move(out.set("components", std::move(all)));
}

namespace {

const Refusal& refusal(int status) {
  const auto found = std::find_if(kRefusals.begin(), kRefusals.end(),
                                  [&](const Refusal& one) { return one.status == status; });
  DROVER_CHECK(found != kRefusals.end(), "a route refuses with a status that has no description");
  return *found;
}

Json content(std::string_view type, Json schema) {
  return Json::object().set(std::string(type), Json::object().set("schema", std::move(schema)));
}

Json text_schema() {
  return Json::object().set("type", "string");
}

Json header(std::string_view name) {
  Json out = Json::object().set("description", header_documentation(name));
  return std::move(out.set("schema", text_schema()));
}

Json refusal_response(const Refusal& one, schema::Components& components, bool plain) {
  Json out = Json::object().set("description", one.says);
  if (plain) {
    Json types = content("text/plain", text_schema());
    return std::move(out.set(
        "content", std::move(types.set("application/json", Json::object().set("schema", text_schema())))));
  }
  return std::move(
      out.set("content", content("application/problem+json", problem_table().describe(components))));
}

// Which statuses beside those of its answers a route may give: what its own row says, and what follows from
// who may call, what it takes and how far it reaches.
std::set<int> statuses_of(const Route& route) {
  std::set<int> out(route.refusals.begin(), route.refusals.end());
  out.insert({405, 421, 431, 500});
  if (!route.takes_anything || route.body.kind != Body::Kind::none) out.insert(400);
  if (route.method != "GET") out.insert({403, 408, 413});
  if (route.who != Who::anyone) out.insert(401);
  if (route.reach != Reach::process) out.insert(503);
  if (route.reach == Reach::store || route.reach == Reach::commit) out.insert(429);
  if (route.reach == Reach::commit) out.insert(507);
  return out;
}

Json responses(const Route& route, schema::Components& components) {
  std::map<int, Json> by_status;
  for (const RouteAnswer& answer : route.answers) {
    Json out = Json::object().set("description", answer.says);
    Json headers = Json::object();
    for (const std::string_view name : answer.headers) headers.set(std::string(name), header(name));
    if (!answer.headers.empty()) out.set("headers", std::move(headers));
    Json schema = answer.schema != nullptr ? answer.schema(components) : text_schema();
    if (answer.type == "application/octet-stream") schema.set("format", "binary");
    Json types = content(answer.type, std::move(schema));
    if (answer.or_shell) {
      Json shell = schema::documented(text_schema(), "Shell assignments, when Accept names this type.");
      types.set("application/x-sh", Json::object().set("schema", std::move(shell)));
    }
    by_status.emplace(answer.status, std::move(out.set("content", std::move(types))));
  }
  for (const int status : statuses_of(route)) {
    const Refusal& one = refusal(status);
    Json shared = Json::object().set("$ref", fmt::format("#/components/responses/{}", one.name));
    by_status.emplace(status,
                      route.plain_errors ? refusal_response(one, components, true) : std::move(shared));
  }
  Json out = Json::object();
  for (auto& [status, response] : by_status) out.set(std::to_string(status), std::move(response));
  return out;
}

Json parameter(std::string_view in, std::string_view name, std::string_view says, Json schema,
               bool required) {
  Json out = Json::object();
  out.set("name", name).set("in", in).set("required", required);
  if (!says.empty()) out.set("description", says);
  return std::move(out.set("schema", std::move(schema)));
}

Json path_schema(std::string_view name, schema::Components& components) {
  if (name == "attempt") return schema::Whole{1}.describe(components);
  if (name == "stream")
    return Json::object().set("type", "string").set("enum", Json::array().push("stdout").push("stderr"));
  return Json::object().set("type", "string").set("minLength", 1);
}

Json parameters(const Route& route, schema::Components& components) {
  Json out = Json::array();
  for (const std::string_view segment : split(route.pattern, '/')) {
    if (!segment.starts_with('{')) continue;
    const std::string_view name = segment.substr(1, segment.size() - 2);
    out.push(parameter("path", name, path_documentation(name), path_schema(name, components), true));
  }
  if (route.query != nullptr) {
    for (Parameter& one : route.query(components))
      out.push(parameter("query", one.name, one.documentation, std::move(one.schema), one.required));
  }
  if (route.who == Who::attempt) {
    out.push(parameter("header", "X-Drover-Attempt-Token", "The attempt's token, from the claim.",
                       text_schema(), true));
  }
  if (route.if_match) {
    out.push(parameter("header", "If-Match",
                       "The ETag that it must have; or several, commas between them, or `*`: any.",
                       text_schema(), false));
  }
  return out;
}

Json request_body(const Route& route, schema::Components& components) {
  if (route.body.kind == Body::Kind::bytes) {
    Json schema = text_schema();
    schema.set("format", "binary");
    if (!route.body.spool) schema.set("maxLength", route.body.max_bytes);
    Json out = Json::object().set("required", true);
    return std::move(out.set("content", content("application/octet-stream", std::move(schema))));
  }
  Json out = Json::object().set("required", route.body.kind == Body::Kind::json);
  return std::move(out.set("content", content("application/json", route.body.schema(components))));
}

Json security(Who who) {
  if (who == Who::anyone) return Json::array();
  const char* scheme = who == Who::machine ? "bootstrapToken" : "workerToken";
  return Json::array().push(Json::object().set(scheme, Json::array()));
}

std::string operation_id(const Route& route, bool other_method) {
  if (!other_method) return std::string(route.id);
  std::string method = lower(route.also);
  method.front() = static_cast<char>(method.front() - 'a' + 'A');
  return fmt::format("{}By{}", route.id, method);
}

Json operation(const Route& route, bool other_method, schema::Components& components) {
  Json out = Json::object();
  out.set("operationId", operation_id(route, other_method)).set("tags", Json::array().push(route.tag));
  out.set("summary", route.says);
  if (!route.more.empty()) out.set("description", route.more);
  Json all = parameters(route, components);
  if (!all.if_array()->empty()) out.set("parameters", std::move(all));
  if (route.body.kind != Body::Kind::none) out.set("requestBody", request_body(route, components));
  out.set("security", security(route.who));
  return std::move(out.set("responses", responses(route, components)));
}

Json paths(schema::Components& components) {
  Json out = Json::object();
  for (const Route& route : routes()) {
    const Json* there = out.find(route.pattern);
    Json item = there == nullptr ? Json::object() : *there;
    item.set(lower(route.method), operation(route, false, components));
    if (!route.also.empty()) item.set(lower(route.also), operation(route, true, components));
    out.set(std::string(route.pattern), std::move(item));
  }
  return out;
}

Json tags() {
  Json out = Json::array();
  const auto tag = [&](std::string_view name, std::string_view says) {
    out.push(Json::object().set("name", name).set("description", says));
  };
  tag("jobs", "What people submit, and what became of it.");
  tag("pools", "How to get machines.");
  tag("workers", "The machines.");
  tag("daemon", "The daemon itself.");
  tag("worker protocol", "What workers call; docs/worker-protocol.md tells in which order.");
  return out;
}

Json security_schemes() {
  const auto bearer = [](std::string_view says) {
    return Json::object().set("type", "http").set("scheme", "bearer").set("description", says);
  };
  Json out = Json::object();
  out.set("bootstrapToken", bearer("From the instance's user data."));
  return std::move(out.set("workerToken", bearer("From registration.")));
}

}  // namespace

namespace {

using Sentence = std::pair<std::string_view, std::string_view>;

template <std::size_t count>
std::string_view sentence_of(const std::array<Sentence, count>& sentences, std::string_view name) {
  for (const auto& [known, sentence] : sentences) {
    if (known == name) return sentence;
  }
  return {};
}

}  // namespace

std::string_view path_documentation(std::string_view name) {
  constexpr std::array<Sentence, 6> kNames{
      {{"job", "The job's number or id (UUID)."},
       {"attempt", "The attempt's number."},
       {"stream", "Which log: stdout or stderr."},
       {"name",
        "The artifact's name: at most 256 bytes, in parts separated by '/' (or %2F), none empty, '.' or "
        "'..'."},
       {"pool", "The pool's name."},
       {"worker",
        "The worker's number or instance id; in the worker protocol the `worker_id` of registration."}}};
  return sentence_of(kNames, name);
}

std::string_view header_documentation(std::string_view name) {
  constexpr std::array<Sentence, 7> kNames{{{"Content-Disposition", "The name to save it under."},
                                            {"ETag", "The version, for If-Match."},
                                            {"Link", "`<…>; rel=\"next\"` while there may be more."},
                                            {"Location", "Where it is; of one job only."},
                                            {"X-Checksum-Sha256", "Of the bytes, in hexadecimal."},
                                            {"X-Drover-Attempt", "Whose it is."},
                                            {"X-Drover-Next-Offset", "The log's size now: where to go on."}}};
  return sentence_of(kNames, name);
}

}  // namespace drover::api
