#include "rows.hpp"

#include "codec.hpp"

namespace drover::postgres {
namespace {

void read_counters(RowReader& row, core::Counters& out) {
  row.read("failures", out.failures).read("infra", out.infra).read("interruptions", out.interruptions);
}

void read_resources(RowReader& row, core::Resources& out) {
  row.read("cpus", out.cpus).read("mem_mib", out.mem_mib).read("disk_mib", out.disk_mib);
  row.read("gpus", out.gpus);
}

void read_retry_rules(RowReader& row, core::RetryRules& out) {
  row.read("max_attempts", out.max_attempts).read("max_interruptions", out.max_interruptions);
  row.read("backoff_s", out.backoff);
}

}  // namespace

ports::JobRow read_job(RowReader row) {
  ports::JobRow out;
  core::JobSpec& spec = out.spec;
  row.read("number", out.number).read("id", out.id);
  row.read("queue", spec.queue).read("name", spec.name).read("owner", spec.owner);
  spec.priority = -row.get<int>("rank");
  row.read("task", spec.task);
  read_resources(row, spec.resources);
  if (const auto labels = row.get<std::optional<std::string>>("labels")) spec.labels = decode_labels(*labels);
  read_retry_rules(row, spec.retry);
  row.read("timeout_s", spec.timeout).read("run_at", spec.run_at);
  core::JobBrief brief;
  brief.stored = row.get("state", core::parse_job_state);
  row.read("revision", out.revision).read("attempts", out.attempts);
  read_counters(row, out.counters);
  row.read("reason", out.reason).read("created_at", out.created).read("started_at", out.started);
  row.read("finished", out.finished).read("wake_at", out.wake_at).read("exit_code", out.exit_code);
  const auto attempt = row.get<std::optional<int>>("lease_attempt");
  brief.leased = attempt.has_value();
  brief.wanted = row.maybe("lease_wanted", core::parse_job_state).value_or(core::JobState::running);
  const auto started = row.get<std::optional<WallTime>>("lease_started");
  row.read("lease_instance", out.worker);
  row.read("signal", out.signal).read("alone_s", out.alone).read("charges", out.charges);
  if (attempt) {
    out.attempts = *attempt;
    out.started = started;
  }
  out.state = core::visible_state(brief);
  return out;
}

ports::WorkerRow read_worker(RowReader row) {
  ports::WorkerRow out;
  row.read("id", out.id).read("instance_id", out.instance_id);
  row.read("pool", out.pool).read("pool_name", out.pool_name).read("launch", out.launch);
  out.state = row.get("state", core::parse_worker_state);
  row.read("slots", out.slots);
  read_resources(row, out.capacity);
  row.read("hostname", out.hostname).read("instance_type", out.instance_type).read("zone", out.zone);
  row.read("spot", out.spot).read("reason", out.reason);
  row.read("token_hash", out.token_hash).read("nonce", out.nonce);
  row.read("created_at", out.created).read("registered_at", out.registered);
  row.read("last_seen", out.last_seen).read("ended_at", out.ended);
  out.queues = queues_of(decode_pool(row.get<std::string>("pool_spec")));
  row.read("notice_until", out.notice_until);
  return out;
}

ports::LaunchRow read_launch(RowReader row) {
  ports::LaunchRow out;
  row.read("id", out.id).read("pool", out.pool).read("pool_name", out.pool_name);
  out.request = decode_launch(row.get<std::string>("request"));
  out.state = row.get("state", core::parse_launch_state);
  row.read("instances", out.instances).read("error", out.error).read("created_at", out.created);
  return out;
}

ports::PoolRow read_pool(RowReader row) {
  ports::PoolRow out;
  row.read("id", out.id).read("version", out.version).read("blocked_reason", out.blocked_reason);
  out.spec = decode_pool(row.get<std::string>("spec"));
  return out;
}

ports::AttemptRow read_attempt(RowReader row, JobNumber job) {
  ports::AttemptRow out;
  out.job = job;
  row.read("attempt", out.attempt).read("worker", out.worker).read("instance_id", out.instance_id);
  row.read("started_at", out.started).read("ended_at", out.ended);
  out.outcome = row.maybe("outcome", core::parse_outcome);
  row.read("exit_code", out.exit_code).read("signal", out.signal).read("reason", out.reason);
  return out;
}

ports::ArtifactRow read_artifact(RowReader row) {
  ports::ArtifactRow out;
  row.read("attempt", out.attempt).read("name", out.name).read("size", out.size);
  row.read("sha256", out.sha256).read("created_at", out.created);
  return out;
}

void read_job_run(RowReader& row, ports::OpenAttempt& out) {
  row.read("number", out.job).read("id", out.id).read("attempts", out.attempt);
  row.read("queue", out.queue).read("name", out.name).read("rank", out.rank).read("task", out.task);
  read_retry_rules(row, out.retry);
  read_counters(row, out.counters);
  row.read("timeout_s", out.timeout).read("infra_workers", out.infra_workers);
  row.read("alone_s", out.alone).read("charges", out.charges).read("returns", out.returns);
  const auto checkpoint = row.get<std::optional<int>>("checkpoint_attempt");
  out.has_checkpoint = checkpoint.has_value();
  out.checkpoint_attempt = checkpoint.value_or(0);
}

ports::OpenAttempt read_open(RowReader row) {
  ports::OpenAttempt out;
  const int attempt = row.get<int>("attempt");
  row.read("worker", out.worker).read("nonce", out.nonce).read("token_hash", out.token_hash);
  row.read("started_at", out.started);
  out.wanted = row.get("wanted", core::parse_job_state);
  read_job_run(row, out);
  out.attempt = attempt;
  return out;
}

}  // namespace drover::postgres
