#include <utility>

#include "bodies.hpp"
#include "queries.hpp"
#include "routes.hpp"

// The rows of the table of routes that workers call (docs/worker-protocol.md); routes.cpp has those of
// people.
namespace drover::api {
namespace {

constexpr Body kLogChunk{.kind = Body::Kind::bytes,
                         .max_bytes = static_cast<std::int64_t>(limits::kLogChunkBytes)};
constexpr Body kFile{.kind = Body::Kind::bytes, .max_bytes = limits::kArtifactBytes, .spool = true};

}  // namespace

std::vector<Route> worker_protocol_routes() {
  const auto report = [](std::string_view pattern, Handler handler, std::string_view id,
                         std::string_view says) {
    return Route{.method = "POST",
                 .pattern = pattern,
                 .handler = handler,
                 .who = Who::attempt,
                 .reach = Reach::commit,
                 .id = id,
                 .tag = "worker protocol",
                 .says = says,
                 .answers = {{.says = "Taken, or taken before.",
                              .schema = described<reported_table>,
                              .or_shell = true}},
                 .refusals = {404, 409}};
  };
  Route finish = report("/jobs/{job}/attempts/{attempt}/finish", finish_attempt, "finishAttempt",
                        "Report how an attempt ended");
  finish.body = json_body(described<finish_table>);
  Route release = report("/jobs/{job}/attempts/{attempt}/release", release_attempt, "releaseAttempt",
                         "Give an attempt back");
  release.more =
      "An interruption when the machine has an interruption notice, or when its end was asked for; infra "
      "otherwise.";
  release.body = optional_json_body(described<release_table>);
  const auto keep = [](std::string_view pattern, Handler handler, std::string_view id,
                       std::string_view says) {
    return Route{.method = "PUT",
                 .pattern = pattern,
                 .handler = handler,
                 .who = Who::attempt,
                 .reach = Reach::commit,
                 .id = id,
                 .tag = "worker protocol",
                 .says = says,
                 .body = kFile,
                 .answers = {{.status = 201, .says = "Kept.", .schema = described<file_kept_table>}},
                 .refusals = {404, 409}};
  };
  Route artifact = keep("/jobs/{job}/attempts/{attempt}/artifacts/{name}", put_artifact, "putArtifact",
                        "Keep a file of an attempt");
  artifact.more = "At most 16 GiB each, and 1,000 of an attempt.";
  artifact.tail = true;
  Route checkpoint = keep("/jobs/{job}/attempts/{attempt}/checkpoint", put_checkpoint, "putCheckpoint",
                          "Keep the checkpoint of an attempt");
  checkpoint.more = "At most 16 GiB. The next attempt gets it.";
  return {
      {.method = "GET",
       .pattern = "/worker/bootstrap",
       .handler = get_bootstrap,
       .who = Who::machine,
       .id = "getBootstrap",
       .tag = "worker protocol",
       .says = "The worker program",
       .answers = {{.says = "A shell script.", .type = "text/x-shellscript"}}},
      {.method = "POST",
       .pattern = "/workers/register",
       .handler = register_worker,
       .who = Who::machine,
       .reach = Reach::commit,
       .id = "registerWorker",
       .tag = "worker protocol",
       .says = "An instance becomes a worker",
       .more = "503 also while the cloud has not told of this instance yet.",
       .body = json_body(described<registration_table>),
       .answers = {{.says = "The worker and its token.",
                    .schema = described<registered_table>,
                    .or_shell = true}},
       .refusals = {409}},
      {.method = "POST",
       .pattern = "/workers/{worker}/claim",
       .handler = claim,
       .who = Who::worker,
       .reach = Reach::commit,
       .id = "claim",
       .tag = "worker protocol",
       .says = "Ask for work",
       .body = json_body(described<claim_request_table>),
       .answers = {{.says = "At once when there is work; else after the wait, empty.",
                    .schema = described<claim_table>,
                    .or_shell = true}}},
      {.method = "POST",
       .pattern = "/workers/{worker}/heartbeat",
       .handler = heartbeat,
       .who = Who::worker,
       .id = "heartbeat",
       .tag = "worker protocol",
       .says = "Say what runs",
       .body = json_body(described<heartbeat_table>),
       .answers = {{.says = "What to stop.", .schema = described<heartbeat_answer_table>, .or_shell = true}}},
      std::move(finish),
      std::move(release),
      {.method = "POST",
       .pattern = "/jobs/{job}/attempts/{attempt}/logs/{stream}",
       .handler = post_log,
       .who = Who::attempt,
       .reach = Reach::commit,
       .id = "appendLog",
       .tag = "worker protocol",
       .says = "Append to a log",
       .more =
           "409 when `offset` is not the log's present size, which the member `next_offset` and the header "
           "X-Drover-Next-Offset then say; or when the attempt is not the worker's any more.",
       .query = query<append_query_table>,
       .body = kLogChunk,
       .answers = {{.says = "Written.", .schema = described<log_appended_table>, .or_shell = true}},
       .refusals = {404, 409}},
      std::move(artifact),
      std::move(checkpoint),
  };
}

}  // namespace drover::api
