#include "routes.hpp"

#include <utility>

#include "bodies.hpp"
#include "queries.hpp"

namespace drover::api {
namespace {

std::vector<Route> job_routes();
std::vector<Route> fleet_routes();
std::vector<Route> daemon_routes();

}  // namespace

const std::vector<Route>& routes() {
  static const std::vector<Route> all = [] {
    std::vector<Route> out;
    for (std::vector<Route> some : {job_routes(), worker_protocol_routes(), fleet_routes(), daemon_routes()})
      out.insert(out.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
    return out;
  }();
  return all;
}

namespace {

// The schema of the bodies of POST /jobs: a job is answered with a job, an array with an array.
template <auto table>
Json one_or_many(schema::Components& components) {
  Json one = table().describe(components);
  Json many = schema::describe_list(one, 1, limits::kJobsPerRequest);
  return Json::object().set("oneOf", Json::array().push(std::move(one)).push(std::move(many)));
}

Json any_object(schema::Components& /*components*/) {
  return Json::object().set("type", "object");
}

RouteAnswer text(std::string_view says, std::vector<std::string_view> headers = {}) {
  return {.says = says, .type = "text/plain", .headers = std::move(headers)};
}
RouteAnswer bytes() {
  return {.says = "The bytes.",
          .type = "application/octet-stream",
          .headers = {"Content-Disposition", "X-Checksum-Sha256", "X-Drover-Attempt"}};
}
RouteAnswer page(Describe schema, std::string_view says = "A page; `Link` leads to the next.") {
  return {.says = says, .schema = schema, .headers = {"Link"}};
}

// Something that is done to a thing that is there.
Route action(std::string_view tag, Describe answer, std::string_view pattern, Handler handler,
             std::string_view id, std::string_view says) {
  return {.method = "POST",
          .also = "PUT",
          .pattern = pattern,
          .handler = handler,
          .reach = Reach::commit,
          .id = id,
          .tag = tag,
          .says = says,
          .more = "Asked again, it is the same.",
          .answers = {{.says = "Done, or it was so already.", .schema = answer}},
          .refusals = {404, 409}};
}

Route act_on_job(std::string_view pattern, Handler handler, std::string_view id, std::string_view says) {
  return action("jobs", described<job_change_table>, pattern, handler, id, says);
}

Route act_on_worker(std::string_view pattern, Handler handler, std::string_view id, std::string_view says) {
  return action("workers", described<worker_change_table>, pattern, handler, id, says);
}

Route probe(std::string_view pattern, Handler handler, std::string_view id, std::string_view says,
            RouteAnswer answer, std::vector<int> refusals = {}) {
  return {.method = "GET",
          .pattern = pattern,
          .handler = handler,
          .reach = Reach::process,
          .id = id,
          .tag = "daemon",
          .says = says,
          .answers = {std::move(answer)},
          .refusals = std::move(refusals),
          .takes_anything = true};
}

std::vector<Route> job_routes() {
  return {
      {.method = "POST",
       .pattern = "/jobs",
       .handler = post_jobs,
       .reach = Reach::commit,
       .id = "submitJobs",
       .tag = "jobs",
       .says = "Submit one job or many",
       .more = "All jobs of a request are made, or none. Unknown members are refused by their dotted name.",
       .body = json_body(one_or_many<schema::job_spec_table>),
       .answers = {{.status = 201,
                    .says = "What was made: an object for an object, an array for an array.",
                    .schema = one_or_many<job_table>,
                    .headers = {"Location"}}}},
      {.method = "GET",
       .pattern = "/jobs",
       .handler = list_jobs,
       .id = "listJobs",
       .tag = "jobs",
       .says = "List jobs, newest first",
       .more = "Filters combine. A page of very large jobs may hold fewer than `limit`; the header Link says "
               "where "
               "to go on.",
       .query = query<job_filter_table>,
       .answers = {page(list_of<job_table>)}},
      {.method = "GET",
       .pattern = "/jobs/{job}",
       .handler = get_job,
       .id = "getJob",
       .tag = "jobs",
       .says = "One job",
       .answers = {{.says = "The job.", .schema = described<job_table>, .headers = {"ETag"}}},
       .refusals = {404}},
      act_on_job("/jobs/{job}/hold", hold_job, "holdJob",
                 "Keep a job from running; a running one is stopped, and counted as nothing"),
      act_on_job("/jobs/{job}/release", release_job, "releaseJob", "Let a held job go on"),
      act_on_job("/jobs/{job}/cancel", cancel_job, "cancelJob",
                 "End a job for good; a running one is stopped"),
      act_on_job("/jobs/{job}/requeue", requeue_job, "requeueJob", "Queue a finished job again"),
      {.method = "GET",
       .pattern = "/jobs/{job}/attempts",
       .handler = list_attempts,
       .id = "listAttempts",
       .tag = "jobs",
       .says = "The attempts of a job, oldest first",
       .answers = {{.says = "All of them.", .schema = list_of<attempt_table>}},
       .refusals = {404}},
      {.method = "GET",
       .pattern = "/jobs/{job}/explain",
       .handler = get_explain,
       .id = "explainJob",
       .tag = "jobs",
       .says = "Why a job is where it is",
       .answers = {{.says = "Reasons; the first has to go first.", .schema = described<explanation_table>}},
       .refusals = {404}},
      {.method = "GET",
       .pattern = "/jobs/{job}/logs/{stream}",
       .handler = get_log,
       .id = "getLog",
       .tag = "jobs",
       .says = "What a job wrote",
       .more = "With `follow` the answer is chunked and goes on until the attempt has ended; a reader that "
               "is too "
               "slow is cut off.",
       .query = query<log_query_table>,
       .answers = {text("The log from `offset` on.", {"X-Drover-Attempt", "X-Drover-Next-Offset"})},
       .refusals = {404, 501, 507}},
      {.method = "GET",
       .pattern = "/jobs/{job}/artifacts",
       .handler = list_artifacts,
       .id = "listArtifacts",
       .tag = "jobs",
       .says = "The artifacts of a job, by name",
       .query = query<artifacts_query_table>,
       .answers = {page(list_of<artifact_table>,
                        "A page, the latest of each name; `Link` leads to the next.")},
       .refusals = {404}},
      {.method = "GET",
       .pattern = "/jobs/{job}/artifacts/{name}",
       .handler = get_artifact,
       .id = "getArtifact",
       .tag = "jobs",
       .says = "The bytes of an artifact",
       .answers = {bytes()},
       .refusals = {404},
       .tail = true},
      {.method = "GET",
       .pattern = "/jobs/{job}/checkpoint",
       .handler = get_checkpoint,
       .id = "getCheckpoint",
       .tag = "jobs",
       .says = "The latest checkpoint of a job",
       .answers = {bytes()},
       .refusals = {404}},
  };
}

std::vector<Route> fleet_routes() {
  constexpr std::string_view kIfMatch =
      "If-Match names the version that is meant; 412 when it is another by now.";
  return {
      {.method = "GET",
       .pattern = "/pools",
       .handler = list_pools,
       .id = "listPools",
       .tag = "pools",
       .says = "All pools",
       .answers = {{.says = "All of them.", .schema = list_of<pool_table>}}},
      {.method = "POST",
       .pattern = "/pools",
       .handler = create_pool,
       .reach = Reach::commit,
       .id = "createPool",
       .tag = "pools",
       .says = "Make a pool",
       .body = json_body(described<new_pool_table>),
       .answers = {{.status = 201,
                    .says = "Made.",
                    .schema = described<pool_table>,
                    .headers = {"ETag", "Location"}}},
       .refusals = {409}},
      {.method = "GET",
       .pattern = "/pools/{pool}",
       .handler = get_pool,
       .id = "getPool",
       .tag = "pools",
       .says = "One pool",
       .answers = {{.says = "The pool.", .schema = described<pool_table>, .headers = {"ETag"}}},
       .refusals = {404}},
      {.method = "PUT",
       .pattern = "/pools/{pool}",
       .handler = put_pool,
       .reach = Reach::commit,
       .id = "putPool",
       .tag = "pools",
       .says = "Replace a pool, or make it",
       .more = kIfMatch,
       .body = json_body(described<pool_request_table>),
       .if_match = true,
       .answers = {{.says = "Replaced; absent members took their defaults.",
                    .schema = described<pool_table>,
                    .headers = {"ETag"}},
                   {.status = 201,
                    .says = "Made.",
                    .schema = described<pool_table>,
                    .headers = {"ETag", "Location"}}},
       .refusals = {409, 412}},
      {.method = "PATCH",
       .pattern = "/pools/{pool}",
       .handler = patch_pool,
       .reach = Reach::commit,
       .id = "patchPool",
       .tag = "pools",
       .says = "Change some of a pool",
       .more = kIfMatch,
       .body = optional_json_body(described<pool_request_table>),
       .if_match = true,
       .answers = {{.says = "Changed; the rest stays.",
                    .schema = described<pool_table>,
                    .headers = {"ETag"}}},
       .refusals = {404, 409, 412}},
      {.method = "GET",
       .pattern = "/workers",
       .handler = list_workers,
       .id = "listWorkers",
       .tag = "workers",
       .says = "List workers, newest first",
       .query = query<worker_filter_table>,
       .answers = {page(list_of<worker_table>, "A page; a filtered one may be short while there is more.")}},
      {.method = "GET",
       .pattern = "/workers/{worker}",
       .handler = get_worker,
       .id = "getWorker",
       .tag = "workers",
       .says = "One worker",
       .answers = {{.says = "The worker.", .schema = described<worker_table>}},
       .refusals = {404}},
      act_on_worker("/workers/{worker}/drain", drain_worker, "drainWorker",
                    "Let a worker finish what it has and claim no more"),
      act_on_worker("/workers/{worker}/activate", activate_worker, "activateWorker",
                    "Let a draining worker claim again"),
      act_on_worker("/workers/{worker}/terminate", terminate_worker, "terminateWorker",
                    "End a machine; its attempts go on until then"),
      {.method = "GET",
       .pattern = "/queues",
       .handler = list_queues,
       .reach = Reach::store,
       .id = "listQueues",
       .tag = "daemon",
       .says = "All queues with jobs that are ready or run, by name",
       .query = query<queues_query_table>,
       .answers = {page(list_of<queue_table>)}},
  };
}

std::vector<Route> daemon_routes() {
  return {
      {.method = "GET",
       .pattern = "/",
       .handler = get_index,
       .reach = Reach::process,
       .id = "index",
       .tag = "daemon",
       .says = "The routes of this daemon",
       .answers = {{.says = "Name, version, routes.", .schema = described<index_table>}}},
      {.method = "GET",
       .pattern = "/openapi.json",
       .handler = get_openapi,
       .reach = Reach::process,
       .id = "getOpenApi",
       .tag = "daemon",
       .says = "This document",
       .answers = {{.says = "OpenAPI 3.1.", .schema = any_object}}},
      {.method = "GET",
       .pattern = "/config",
       .handler = get_config,
       .reach = Reach::memory,
       .id = "getConfig",
       .tag = "daemon",
       .says = "The tunables: what can be changed while the daemon runs",
       .answers = {{.says = "All of them.", .schema = described<tunables_table>}}},
      {.method = "PUT",
       .also = "PATCH",
       .pattern = "/config",
       .handler = put_config,
       .reach = Reach::commit,
       .id = "putConfig",
       .tag = "daemon",
       .says = "Change tunables",
       .more = "What is named changes, all of it or nothing; the rest stays. It counts at once.",
       .body = optional_json_body(described<tunables_table>),
       .answers = {{.says = "All of them, as they are now.", .schema = described<tunables_table>}}},
      {.method = "GET",
       .pattern = "/scheduler",
       .handler = get_scheduler,
       .reach = Reach::memory,
       .id = "getScheduler",
       .tag = "daemon",
       .says = "Is the scheduler paused",
       .answers = {{.says = "The switch.", .schema = described<pause_table>}},
       .plain_errors = true,
       .takes_anything = true},
      {.method = "PATCH",
       .pattern = "/scheduler",
       .handler = patch_scheduler,
       .reach = Reach::commit,
       .id = "patchScheduler",
       .tag = "daemon",
       .says = "Pause or resume",
       .more = "Paused, nothing is claimed or launched; what runs goes on. 400 says `Unexpected fields: …`, "
               "`No fields "
               "specified for update.`, or what is wrong with the value.",
       .body = json_body(described<pause_table>),
       .answers = {{.status = 201,
                    .says = "As it is now.",
                    .schema = described<pause_table>,
                    .headers = {"Location"}}},
       .plain_errors = true,
       .takes_anything = true},
      {.method = "GET",
       .pattern = "/status",
       .handler = get_status,
       .id = "getStatus",
       .tag = "daemon",
       .says = "How everything is",
       .answers = {{.says = "Also while this daemon does not lead: `is_online` is false then.",
                    .schema = described<status_table>}}},
      probe("/metrics", get_metrics, "getMetrics", "For Prometheus", text("Text exposition format 0.0.4."),
            {429, 503}),
      probe("/healthz", get_healthz, "getHealth", "Does the process live", text("It does.")),
      probe("/readyz", get_readyz, "getReadiness", "Does this daemon schedule",
            text("It leads, the store answers, and the pools of its configuration are made."), {503}),
  };
}

}  // namespace
}  // namespace drover::api
