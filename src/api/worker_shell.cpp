#include "worker_shell.hpp"

#include <fmt/format.h>

#include "drover/base/text.hpp"

namespace drover::api {
namespace {

void assign(std::string& out, std::string_view name, std::string_view text) {
  out.append(name).append("=").append(shell_quote(text)).append("\n");
}
void assign(std::string& out, std::string_view name, std::int64_t number) {
  out.append(fmt::format("{}={}\n", name, number));
}
void assign(std::string& out, std::string_view name, const std::vector<std::string>& words) {
  out.append(name).append("=(");
  for (std::size_t i = 0; i < words.size(); ++i) out.append(i == 0 ? "" : " ").append(shell_quote(words[i]));
  out.append(")\n");
}

void append_job(std::string& out, const engine::ClaimedJob& claimed) {
  const ports::OpenAttempt& attempt = claimed.attempt;
  const schema::Task task = claimed_task(attempt.task);
  std::vector<std::string> env;
  for (const auto& [name, value] : task.env) env.push_back(fmt::format("{}={}", name, value));
  assign(out, "job_number", attempt.job.value);
  assign(out, "job_id", to_string(attempt.id));
  assign(out, "job_attempt", attempt.attempt);
  assign(out, "job_token", claimed.token.reveal());
  assign(out, "job_queue", attempt.queue);
  assign(out, "job_name", attempt.name);
  assign(out, "job_command", task.command);
  assign(out, "job_args", task.args);
  assign(out, "job_env", env);
  assign(out, "job_timeout_s", attempt.timeout.count());
  assign(out, "job_max_log_bytes", claimed.max_log_bytes);
  assign(out, "job_resume", attempt.has_checkpoint ? 1 : 0);
  assign(out, "job_checkpoint",
         attempt.has_checkpoint ? checkpoint_path(std::to_string(attempt.job.value)) : std::string());
  out.append("on_claim\n");
}

}  // namespace

schema::Task claimed_task(std::string_view text) {
  if (const Result<Json> json = parse_json(text); json.ok()) {
    if (Result<schema::Task> task = schema::parse_task(*json, "task"); task.ok()) return std::move(*task);
  }
  schema::Task unreadable;
  unreadable.command = "echo 'drover: the stored task of this job cannot be read' >&2; exit 126";
  return unreadable;
}

std::string checkpoint_path(std::string_view job) {
  return fmt::format("/jobs/{}/checkpoint", job);
}

std::string registered_sh(const Registered& answer) {
  std::string out;
  assign(out, "worker_id", answer.worker.worker.value);
  assign(out, "worker_token", answer.token);
  assign(out, "worker_pool", answer.worker.pool);
  assign(out, "worker_slots", answer.worker.slots);
  assign(out, "worker_heartbeat_interval_s", answer.worker.heartbeat_interval_s);
  assign(out, "worker_notice_poll_s", answer.worker.notice_poll_s);
  return out;
}

std::string claim_sh(const engine::ClaimAnswer& answer) {
  std::string out;
  assign(out, "claim_jobs", static_cast<std::int64_t>(answer.jobs.size()));
  assign(out, "claim_drain", answer.drain ? 1 : 0);
  for (const engine::ClaimedJob& job : answer.jobs) append_job(out, job);
  return out;
}

std::string heartbeat_sh(const engine::HeartbeatAnswer& answer) {
  std::vector<std::string> stop;
  for (const engine::AttemptRef& attempt : answer.stop) {
    stop.push_back(fmt::format("{}/{}", attempt.job.value, attempt.attempt));
  }
  std::string out;
  assign(out, "heartbeat_drain", answer.drain ? 1 : 0);
  assign(out, "heartbeat_interval_s", answer.interval_s);
  assign(out, "heartbeat_stop", stop);
  return out;
}

std::string report_sh(const engine::ReportAnswer& answer) {
  std::string out;
  assign(out, "report_state", to_string(answer.state));
  return out;
}

}  // namespace drover::api
