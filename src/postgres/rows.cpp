#include "rows.hpp"

#include "codec.hpp"

namespace drover::postgres {
namespace {

RowReader& operator>>(RowReader& row, core::Counters& out) {
  return row >> out.failures >> out.infra >> out.interruptions;
}

RowReader& operator>>(RowReader& row, core::Resources& out) {
  return row >> out.cpus >> out.mem_mib >> out.disk_mib >> out.gpus;
}

RowReader& operator>>(RowReader& row, core::RetryRules& out) {
  return row >> out.max_attempts >> out.max_interruptions >> out.backoff;
}

}  // namespace

ports::JobRow read_job(RowReader row) {
  ports::JobRow out;
  core::JobSpec& spec = out.spec;
  row >> out.number >> out.id >> spec.queue >> spec.name >> spec.owner;
  spec.priority = -row.get<int>();
  row >> spec.task >> spec.resources;
  if (const auto labels = row.get<std::optional<std::string>>()) spec.labels = decode_labels(*labels);
  row >> spec.retry >> spec.timeout >> spec.run_at;
  core::JobBrief brief;
  brief.stored = row.get(core::parse_job_state);
  row >> out.revision >> out.attempts >> out.counters >> out.reason >> out.created >> out.started >>
      out.finished >> out.wake_at >> out.exit_code;
  const auto attempt = row.get<std::optional<int>>();
  brief.leased = attempt.has_value();
  brief.wanted = row.maybe(core::parse_job_state).value_or(core::JobState::running);
  const auto started = row.get<std::optional<WallTime>>();
  row >> out.worker;
  row.skip();  // finished_at once more, for the statements to choose by
  row >> out.signal >> out.alone >> out.charges;
  if (attempt) {
    out.attempts = *attempt;
    out.started = started;
  }
  out.state = core::visible_state(brief);
  return out;
}

ports::WorkerRow read_worker(RowReader row) {
  ports::WorkerRow out;
  row >> out.id >> out.instance_id >> out.pool >> out.pool_name >> out.launch;
  out.state = row.get(core::parse_worker_state);
  row >> out.slots >> out.capacity >> out.hostname >> out.instance_type >> out.zone >> out.spot >>
      out.reason >> out.token_hash >> out.nonce >> out.created >> out.registered >> out.last_seen >>
      out.ended;
  out.queues = queues_of(decode_pool(row.get<std::string>()));
  row >> out.notice_until;
  return out;
}

ports::LaunchRow read_launch(RowReader row) {
  ports::LaunchRow out;
  row >> out.id >> out.pool >> out.pool_name;
  out.request = decode_launch(row.get<std::string>());
  out.state = row.get(core::parse_launch_state);
  row >> out.instances >> out.error >> out.created;
  return out;
}

ports::PoolRow read_pool(RowReader row) {
  ports::PoolRow out;
  row >> out.id >> out.version >> out.blocked_reason;
  out.spec = decode_pool(row.get<std::string>());
  return out;
}

ports::AttemptRow read_attempt(RowReader row, JobNumber job) {
  ports::AttemptRow out;
  out.job = job;
  row >> out.attempt >> out.worker >> out.instance_id >> out.started >> out.ended;
  out.outcome = row.maybe(core::parse_outcome);
  row >> out.exit_code >> out.signal >> out.reason;
  return out;
}

ports::ArtifactRow read_artifact(RowReader row) {
  ports::ArtifactRow out;
  row >> out.attempt >> out.name >> out.size >> out.sha256 >> out.created;
  return out;
}

void read_job_run(RowReader& row, ports::OpenAttempt& out) {
  row >> out.job >> out.id >> out.attempt >> out.queue >> out.name >> out.rank >> out.task >> out.retry >>
      out.counters >> out.timeout >> out.infra_workers >> out.alone >> out.charges >> out.returns;
  const auto checkpoint = row.get<std::optional<int>>();
  out.has_checkpoint = checkpoint.has_value();
  out.checkpoint_attempt = checkpoint.value_or(0);
}

ports::OpenAttempt read_open(RowReader row) {
  ports::OpenAttempt out;
  const int attempt = row.get<int>();
  row >> out.worker >> out.nonce >> out.token_hash >> out.started;
  out.wanted = row.get(core::parse_job_state);
  read_job_run(row, out);
  out.attempt = attempt;
  return out;
}

}  // namespace drover::postgres
