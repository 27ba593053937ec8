#include <algorithm>

#include <fmt/format.h>

#include "drover/base/failpoint.hpp"
#include "drover/base/limits.hpp"
#include "drover/base/text.hpp"

#include "bodies.hpp"
#include "handlers.hpp"
#include "support.hpp"
#include "worker_auth.hpp"
#include "worker_shell.hpp"

namespace drover::api {
namespace {

std::optional<std::string> notice_in(std::string text) {
  return text.empty() ? std::nullopt : std::optional(std::move(text));
}

void answer(const CallPtr& call, const Json& json, std::string shell) {
  if (!wants_shell(call->request())) return call->send(200, json);
  http::Response response = http::Response::text(200, std::move(shell));
  response.headers.front().second = "application/x-sh";
  call->send(std::move(response));
}

void report(const ServicePtr& service, const CallPtr& call, engine::Report report) {
  DROVER_FAILPOINT("api.report");
  const JobNumber job = report.attempt.job;
  service->workers.report(
      std::move(report),
      service->then<engine::ReportAnswer>(call, [service, call, job](const engine::ReportAnswer& reported) {
        service->followers.ended(job);
        answer(call, reported_table().write(reported), report_sh(reported));
      }));
}

}  // namespace

void get_bootstrap(const ServicePtr& service, const CallPtr& call) {
  const std::string token(bearer(call->request()));
  service->duty(call, [service, call, token] {
    if (const Status known = service->workers.admit_machine(token); !known.ok())
      return call->fail(known.error());
    http::Response response = http::Response::text(200, service->deps.worker_program());
    response.headers.front().second = "text/x-shellscript";
    call->send(std::move(response));
  });
}

void register_worker(const ServicePtr& service, const CallPtr& call) {
  engine::Registration begun;
  begun.bootstrap = Secret(std::string(bearer(call->request())));
  const std::optional<engine::Registration> wanted = body_by(call, registration_table(), std::move(begun));
  if (!wanted) return;
  DROVER_FAILPOINT("api.register");
  service->workers.register_worker(
      *wanted, service->then<engine::Registered>(call, [call](const engine::Registered& registered) {
        call->did("worker registered", {{"worker", std::to_string(registered.worker.value)},
                                        {"pool", registered.pool},
                                        {"slots", std::to_string(registered.slots)}});
        const Registered shown{registered, worker_bearer(registered.worker, registered.token)};
        answer(call, registered_table().write(shown), registered_sh(shown));
      }));
}

void claim(const ServicePtr& service, const CallPtr& call) {
  const std::optional<Claim> wanted = body_by(call, claim_request_table());
  if (!wanted) return;
  engine::ClaimRequest request{.auth = call->worker(),
                               .nonce = wanted->nonce,
                               .slots = wanted->slots,
                               .wait = std::min(wanted->wait, limits::kLongPoll),
                               .open = {}};
  DROVER_FAILPOINT("api.claim");
  request.open = [reply = call->reply()] { return reply.open(); };
  service->workers.claim(
      std::move(request),
      service->then<engine::ClaimAnswer>(call, [service, call](const engine::ClaimAnswer& claimed) {
        std::vector<engine::Delivery> deliveries;
        for (const engine::ClaimedJob& job : claimed.jobs)
          deliveries.push_back({job.attempt.job, job.attempt.attempt, job.delivery});
        const bool shell = wants_shell(call->request());
        http::Response response = shell
                                      ? http::Response::text(200, claim_sh(claimed))
                                      : http::Response::json(200, claim_table().write(claimed).dump() + "\n");
        if (shell) response.headers.front().second = "application/x-sh";
        call->send(std::move(response), [service, deliveries = std::move(deliveries)](bool delivered) {
          if (!delivered && !deliveries.empty()) service->workers.not_delivered(deliveries);
        });
      }));
}

void heartbeat(const ServicePtr& service, const CallPtr& call) {
  std::optional<Heartbeat> beat = body_by(call, heartbeat_table());
  if (!beat) return;
  service->workers.heartbeat(
      {call->worker(), std::move(beat->attempts), notice_in(std::move(beat->notice))},
      service->then<engine::HeartbeatAnswer>(call, [call](const engine::HeartbeatAnswer& heard) {
        answer(call, heartbeat_answer_table().write(heard), heartbeat_sh(heard));
      }));
}

void finish_attempt(const ServicePtr& service, const CallPtr& call) {
  std::optional<Finish> told = body_by(call, finish_table());
  if (!told) return;
  const services::Attempt& caller = call->attempt();
  report(service, call,
         {.auth = caller.worker,
          .attempt = caller.attempt,
          .outcome = told->outcome,
          .notice = {},
          .exit_code = told->exit_code,
          .signal = told->signal,
          .reason = std::move(told->reason)});
}

void release_attempt(const ServicePtr& service, const CallPtr& call) {
  std::optional<Release> told = body_by(call, release_table(), {}, true);
  if (!told) return;
  const services::Attempt& caller = call->attempt();
  report(service, call,
         {.auth = caller.worker,
          .attempt = caller.attempt,
          .outcome = {},
          .notice = notice_in(std::move(told->notice)),
          .exit_code = {},
          .signal = {},
          .reason = std::move(told->reason)});
}

}  // namespace drover::api
