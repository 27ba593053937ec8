#include "job_statements.hpp"

#include <fmt/format.h>

#include "codec.hpp"

namespace drover::postgres {

using ports::EndAttempt;
using ports::InsertJobs;

void append_inserts(Batch& batch, const Index& inserts, std::vector<Statement>& out) {
  Column<JobNumber> number, labelled;
  Column<Uuid> id;
  Column<std::string> labels;
  bool any_label = false;
  Column<std::string> queue, name, owner, task, label_text;
  Column<int> rank, gpus, max_attempts, max_interruptions;
  Column<double> cpus;
  Column<std::int64_t> mem, disk;
  Column<Seconds> backoff, timeout;
  Column<WallTime> run_at, created, wake_at;
  Column<std::string_view> state;
  std::size_t rows = 0;
  for (const std::size_t i : inserts) {
    for (const ports::NewJob& job : std::get<InsertJobs>(batch.commands[i]).jobs) {
      const core::JobSpec& s = job.spec;
      number.push(job.number), id.push(job.id), queue.push(s.queue), name.push(s.name), owner.push(s.owner);
      rank.push(-s.priority), task.push(s.task), cpus.push(s.resources.cpus), mem.push(s.resources.mem_mib);
      disk.push(s.resources.disk_mib), gpus.push(s.resources.gpus);
      label_text.push(s.labels.empty() ? std::nullopt : std::optional(encode_labels(s.labels)));
      max_attempts.push(s.retry.max_attempts), max_interruptions.push(s.retry.max_interruptions);
      backoff.push(s.retry.backoff), timeout.push(s.timeout), run_at.push(s.run_at);
      state.push(core::to_string(s.hold ? core::JobState::held : core::JobState::queued));
      created.push(job.created);
      wake_at.push(s.run_at && *s.run_at > job.created ? s.run_at : std::nullopt);
      for (const auto& [key, value] : s.labels) {
        labels.push(fmt::format("{}={}", key, value)), labelled.push(job.number);
        any_label = true;
      }
      ++rows;
    }
  }
  const std::int64_t base = batch.reserve_events(rows);
  if (rows > 0) batch.wrote_event_after(base);
  out.push_back(
      {"write_insert_jobs",
       Params::of(number, id, queue, name, owner, rank, task, cpus, mem, disk, gpus, label_text, max_attempts,
                  max_interruptions, backoff, timeout, run_at, state, created, wake_at, base, batch.epoch)});
  if (any_label) out.push_back({"write_insert_labels", Params::of(labels, labelled)});
}

Statement end_statement(const Batch& batch, const Index& ends, std::int64_t event_base) {
  Column<JobNumber> number;
  Column<int> attempt, exit_code, signal, failures, infra, interruptions;
  Column<Sha256> hash;
  Column<std::string_view> outcome, state;
  Column<std::string> reason, job_reason;
  Column<WallTime> wake_at, ended, finished;
  Column<bool> charged, as_it_was;
  Column<int> charges, returns;
  Column<Seconds> alone;
  for (const std::size_t i : ends) {
    const auto& end = std::get<EndAttempt>(batch.commands[i]);
    const core::Disposition& next = end.disposition;
    const bool later = next.state == core::JobState::queued && next.delay > Seconds{0};
    number.push(end.job), attempt.push(end.attempt), hash.push(end.token_hash);
    outcome.push(core::to_string(end.outcome)), exit_code.push(end.exit_code), signal.push(end.signal);
    reason.push(end.reason), state.push(core::to_string(next.state)), failures.push(next.counters.failures);
    infra.push(next.counters.infra), interruptions.push(next.counters.interruptions),
        job_reason.push(next.reason);
    wake_at.push(later ? std::optional<WallTime>(end.now + next.delay) : std::nullopt), ended.push(end.now);
    finished.push(core::is_final(next.state) ? std::optional(end.now) : std::nullopt);
    charged.push(next.charged), charges.push(next.charges), alone.push(next.alone);
    returns.push(next.returns), as_it_was.push(next.as_it_was);
  }
  return {"write_end", Params::of(number, attempt, hash, outcome, exit_code, signal, reason, state, failures,
                                  infra, interruptions, job_reason, wake_at, ended, finished, charged,
                                  charges, alone, returns, as_it_was, event_base, batch.epoch)};
}

}  // namespace drover::postgres
