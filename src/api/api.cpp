#include "drover/api/api.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "drover/base/text.hpp"
#include "drover/http/hosts.hpp"

#include "handlers.hpp"
#include "support.hpp"
#include "worker_auth.hpp"

namespace drover::api {
namespace {

struct Entry {
  std::string_view method;
  std::string_view pattern;
  Handler handler;
  http::Takes takes = http::Takes::parameters;
  std::string_view query = {};  // the parameters, blanks between them
  std::int64_t max_body = static_cast<std::int64_t>(limits::kBodyBytes);
  bool spool = false;
  bool workers_only = false;  // refused before its body is read
  bool tail = false;          // its last name may hold slashes: an artifact's
};

constexpr http::Takes kBody = http::Takes::body;
// Scale's dialect has its own words for what is too much. Probes come with whatever their tool adds.
constexpr http::Takes kAnything = http::Takes::anything;

constexpr std::array kEntries{
    Entry{"POST", "/jobs", post_jobs, kBody},
    Entry{"GET", "/jobs", list_jobs, {}, "state queue name limit before"},
    Entry{"GET", "/jobs/{job}", get_job},
    Entry{"POST", "/jobs/{job}/hold", hold_job},
    Entry{"PUT", "/jobs/{job}/hold", hold_job},
    Entry{"POST", "/jobs/{job}/release", release_job},
    Entry{"PUT", "/jobs/{job}/release", release_job},
    Entry{"POST", "/jobs/{job}/cancel", cancel_job},
    Entry{"PUT", "/jobs/{job}/cancel", cancel_job},
    Entry{"POST", "/jobs/{job}/requeue", requeue_job},
    Entry{"PUT", "/jobs/{job}/requeue", requeue_job},
    Entry{"GET", "/jobs/{job}/attempts", list_attempts},
    Entry{"GET", "/jobs/{job}/explain", get_explain},
    Entry{"GET", "/jobs/{job}/logs/{stream}", get_log, {}, "attempt offset"},
    Entry{"GET", "/jobs/{job}/artifacts", list_artifacts, {}, "limit after"},
    Entry{.method = "GET", .pattern = "/jobs/{job}/artifacts/{name}", .handler = get_artifact, .tail = true},
    Entry{"GET", "/jobs/{job}/checkpoint", get_checkpoint},
    Entry{"GET", "/worker/bootstrap", get_bootstrap},
    Entry{"POST", "/workers/register", register_worker, kBody},
    Entry{"POST", "/workers/{worker}/claim", claim, kBody},
    Entry{"POST", "/workers/{worker}/heartbeat", heartbeat, kBody},
    Entry{"POST", "/jobs/{job}/attempts/{attempt}/finish", finish_attempt, kBody},
    Entry{"POST", "/jobs/{job}/attempts/{attempt}/release", release_attempt, kBody},
    Entry{"POST", "/jobs/{job}/attempts/{attempt}/logs/{stream}", post_log, kBody, "offset",
          static_cast<std::int64_t>(limits::kLogChunkBytes), false, true},
    Entry{"PUT", "/jobs/{job}/attempts/{attempt}/artifacts/{name}", put_artifact, kBody, "",
          limits::kArtifactBytes, true, true, true},
    Entry{"PUT", "/jobs/{job}/attempts/{attempt}/checkpoint", put_checkpoint, kBody, "",
          limits::kArtifactBytes, true, true},
    Entry{"GET", "/pools", list_pools},
    Entry{"POST", "/pools", create_pool, kBody},
    Entry{"GET", "/pools/{pool}", get_pool},
    Entry{"PUT", "/pools/{pool}", put_pool, kBody},
    Entry{"PATCH", "/pools/{pool}", patch_pool, kBody},
    Entry{"GET", "/workers", list_workers, {}, "state limit before"},
    Entry{"GET", "/workers/{worker}", get_worker},
    Entry{"POST", "/workers/{worker}/drain", drain_worker},
    Entry{"PUT", "/workers/{worker}/drain", drain_worker},
    Entry{"POST", "/workers/{worker}/activate", activate_worker},
    Entry{"PUT", "/workers/{worker}/activate", activate_worker},
    Entry{"POST", "/workers/{worker}/terminate", terminate_worker},
    Entry{"PUT", "/workers/{worker}/terminate", terminate_worker},
    Entry{"GET", "/queues", list_queues, {}, "limit after"},
    Entry{"GET", "/config", get_config},
    Entry{"PUT", "/config", put_config, kBody},
    Entry{"PATCH", "/config", put_config, kBody},
    Entry{"GET", "/scheduler", get_scheduler, kAnything},
    Entry{"PATCH", "/scheduler", patch_scheduler, kAnything},
    Entry{"GET", "/status", get_status},
    Entry{"GET", "/metrics", get_metrics, kAnything},
    Entry{"GET", "/healthz", get_healthz, kAnything},
    Entry{"GET", "/readyz", get_readyz, kAnything},
};

// The names that handlers ask for (Call::path). One that is renamed in a pattern alone does not compile; it
// would make the route's first request a defect.
constexpr std::array<std::string_view, 6> kPathNames{"attempt", "job", "name", "pool", "stream", "worker"};

constexpr bool names_are_known(std::string_view pattern) {
  for (auto at = pattern.find('{'); at != std::string_view::npos; at = pattern.find('{', at + 1)) {
    const std::string_view name = pattern.substr(at + 1, pattern.find('}', at) - at - 1);
    if (std::find(kPathNames.begin(), kPathNames.end(), name) == kPathNames.end()) return false;
  }
  return true;
}
static_assert(std::all_of(kEntries.begin(), kEntries.end(), [](const Entry& entry) {
  return names_are_known(entry.pattern) && (!entry.tail || entry.pattern.ends_with("/{name}"));
}));

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string_view word : split(text, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

http::Route route(const ServicePtr& service, const Entry& entry) {
  const bool changes = entry.method != "GET";
  http::RouteGuard guard;
  if (entry.workers_only) {
    guard = [service, tail = entry.tail](const http::Request& head, const http::PathValues& path) {
      Status admitted = admit_worker(*service, head);
      return admitted.ok() && tail ? ports::check_artifact_name(path.find("name")->second) : admitted;
    };
  }
  return http::Route{.method = std::string(entry.method),
                     .pattern = std::string(entry.pattern),
                     .handler =
                         [service, handler = entry.handler, changes](http::Context context) {
                           const auto call = std::make_shared<Call>(std::move(context));
                           if (changes) {
                             if (Status origin = http::check_origin(call->request()); !origin.ok()) {
                               return call->fail(origin.error());
                             }
                           }
                           handler(service, call);
                         },
                     .max_body = entry.max_body,
                     .spool = entry.spool,
                     .guard = std::move(guard),
                     .tail = entry.tail,
                     .takes = entry.takes,
                     .query = words(entry.query)};
}

std::string index_body(const std::string& version,
                       const std::vector<std::pair<std::string, std::string>>& routes) {
  Json list = Json::array();
  for (const auto& [method, pattern] : routes) list.push(fmt::format("{} {}", method, pattern));
  Json body = Json::object();
  body.set("name", "drover").set("version", version).set("routes", std::move(list));
  return body.dump() + "\n";
}

}  // namespace

Api::Api(ApiDeps deps) : service_(std::make_shared<Service>(std::move(deps))) {
  describe_gauges(service_->deps.metrics);
}

Api::~Api() {
  stop();
}

void Api::add_routes(http::Router& router) {
  for (const Entry& entry : kEntries) router.add(route(service_, entry));
  // Routes of other layers may follow, so the list is made when it is asked for.
  router.add(http::Route{.method = "GET",
                         .pattern = "/",
                         .handler = [service = service_, &router](const http::Context& context) {
                           context.reply.send(
                               http::Response::json(200, index_body(service->deps.version, router.routes())));
                         }});
}

void Api::stop() {
  service_->reads.stop();
  service_->duties.stop();
}

}  // namespace drover::api
