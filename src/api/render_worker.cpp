#include <fmt/format.h>

#include "drover/api/job_spec.hpp"
#include "drover/api/render.hpp"
#include "drover/base/text.hpp"

namespace drover::api {
namespace {

// What a worker is told of a claimed job's task. A stored task that cannot be read (rows edited by hand)
// becomes a command that says so in the job's own log and fails.
Task task_of(const ports::OpenAttempt& attempt) {
  if (const Result<Json> json = parse_json(attempt.task); json.ok()) {
    if (Result<Task> task = parse_task(*json, "task"); task.ok()) return std::move(*task);
  }
  Task unreadable;
  unreadable.command = "echo 'drover: the stored task of this job cannot be read' >&2; exit 126";
  return unreadable;
}

Json job_of(const engine::ClaimedJob& claimed) {
  const ports::OpenAttempt& attempt = claimed.attempt;
  const Task task = task_of(attempt);
  Json env = Json::object();
  for (const auto& [name, value] : task.env) env.set(name, value);
  Json out = Json::object();
  out.set("number", attempt.job.value).set("id", to_string(attempt.id)).set("attempt", attempt.attempt);
  out.set("token", claimed.token.reveal()).set("queue", attempt.queue).set("name", attempt.name);
  if (task.args.empty()) {
    out.set("command", task.command);
  } else {
    Json args = Json::array();
    for (const std::string& arg : task.args) args.push(arg);
    out.set("args", std::move(args));
  }
  out.set("env", std::move(env)).set("timeout_s", static_cast<std::int64_t>(attempt.timeout.count()));
  out.set("max_log_bytes", claimed.max_log_bytes).set("resume", attempt.has_checkpoint);
  if (attempt.has_checkpoint) out.set("checkpoint", checkpoint_path(std::to_string(attempt.job.value)));
  return out;
}

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
  const Task task = task_of(attempt);
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

std::string checkpoint_path(std::string_view job) {
  return fmt::format("/jobs/{}/checkpoint", job);
}

Json registered_json(const engine::Registered& answer, const std::string& token) {
  Json out = Json::object();
  out.set("worker_id", answer.worker.value)
      .set("token", token)
      .set("pool", answer.pool)
      .set("slots", answer.slots);
  out.set("heartbeat_interval_s", answer.heartbeat_interval_s).set("notice_poll_s", answer.notice_poll_s);
  return out;
}

std::string registered_sh(const engine::Registered& answer, const std::string& token) {
  std::string out;
  assign(out, "worker_id", answer.worker.value);
  assign(out, "worker_token", token);
  assign(out, "worker_pool", answer.pool);
  assign(out, "worker_slots", answer.slots);
  assign(out, "worker_heartbeat_interval_s", answer.heartbeat_interval_s);
  assign(out, "worker_notice_poll_s", answer.notice_poll_s);
  return out;
}

Json claim_json(const engine::ClaimAnswer& answer) {
  Json jobs = Json::array();
  for (const engine::ClaimedJob& job : answer.jobs) jobs.push(job_of(job));
  Json out = Json::object();
  out.set("jobs", std::move(jobs)).set("drain", answer.drain);
  return out;
}

std::string claim_sh(const engine::ClaimAnswer& answer) {
  std::string out;
  assign(out, "claim_jobs", static_cast<std::int64_t>(answer.jobs.size()));
  assign(out, "claim_drain", answer.drain ? 1 : 0);
  for (const engine::ClaimedJob& job : answer.jobs) append_job(out, job);
  return out;
}

Json heartbeat_json(const engine::HeartbeatAnswer& answer) {
  Json stop = Json::array();
  for (const engine::AttemptRef& attempt : answer.stop) {
    Json entry = Json::object();
    entry.set("job", attempt.job.value).set("attempt", attempt.attempt);
    stop.push(std::move(entry));
  }
  Json out = Json::object();
  out.set("stop", std::move(stop)).set("drain", answer.drain).set("interval_s", answer.interval_s);
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

Json report_json(const engine::ReportAnswer& answer) {
  Json out = Json::object();
  out.set("state", to_string(answer.state)).set("repeated", answer.repeated);
  return out;
}

std::string report_sh(const engine::ReportAnswer& answer) {
  std::string out;
  assign(out, "report_state", to_string(answer.state));
  return out;
}

}  // namespace drover::api
