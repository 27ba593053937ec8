#include "drover/services/jobs.hpp"

#include <utility>

#include <fmt/format.h>

#include "drover/base/limits.hpp"

namespace drover::services {

Error no_job(std::string_view name) {
  return not_found(fmt::format("there is no job {}", name));
}

std::string to_string(const JobKey& key) {
  return key.id ? drover::to_string(*key.id) : std::to_string(key.number.value);
}

Status check_count(std::size_t jobs) {
  if (jobs == 0) return invalid("", "the array holds no job");
  if (jobs <= limits::kJobsPerRequest) return Ok{};
  return too_large(
      fmt::format("{} jobs in one request; send at most {} at a time", jobs, limits::kJobsPerRequest));
}

namespace {

ports::JobRow new_row(core::JobSpec spec, const engine::Submitted& submitted) {
  ports::JobRow row;
  row.number = submitted.number;
  row.id = submitted.id;
  row.spec = std::move(spec);
  row.state = submitted.state;
  row.created = submitted.created;
  return row;
}

class EngineJobs final : public Jobs {
 public:
  EngineJobs(engine::Engine& engine, ports::Reads& reads, ports::ArtifactStore& artifacts, const Clock& clock)
      : engine_(engine), reads_(reads), artifacts_(artifacts), clock_(clock) {}

  void submit(const Principal& who, std::vector<core::JobSpec> jobs,
              engine::Done<std::vector<ports::JobRow>> done) override;
  void act(const Principal& who, const JobKey& key, core::JobAction action,
           engine::Done<engine::ActAnswer> done) override;
  Result<ports::JobRow> get(const Principal& who, const JobKey& key) override;
  Result<std::vector<ports::JobRow>> list(const Principal& who, const ports::JobFilter& filter) override;
  Result<std::vector<ports::AttemptRow>> attempts(const Principal& who, const JobKey& key) override;
  Result<JobLog> log(const Principal& who, const JobKey& key, std::string_view stream,
                     std::optional<int> attempt) override;
  Result<std::vector<JobLog>> logs(const Principal& who, const JobKey& key, std::string_view stream) override;
  Result<std::vector<ports::ArtifactRow>> artifacts(const Principal& who, const JobKey& key,
                                                    std::string_view after, int limit) override;
  Result<JobFile> file(const Principal& who, const JobKey& key, const std::string& name) override;

 private:
  Result<JobLog> log_of(JobNumber job, int attempt, std::string_view stream);

  engine::Engine& engine_;
  ports::Reads& reads_;
  ports::ArtifactStore& artifacts_;
  const Clock& clock_;
};

void EngineJobs::submit(const Principal& who, std::vector<core::JobSpec> jobs,
                        engine::Done<std::vector<ports::JobRow>> done) {
  if (const Status allowed = may_operate(who); !allowed.ok()) return done(allowed.error());
  if (const Status bounded = check_count(jobs.size()); !bounded.ok()) return done(bounded.error());
  const int max_attempts = engine_.shown()->tunables.default_max_attempts;
  for (core::JobSpec& job : jobs) {
    if (job.retry.max_attempts == core::kUnsaidAttempts) job.retry.max_attempts = max_attempts;
  }
  auto kept = std::make_shared<std::vector<core::JobSpec>>(jobs);
  engine_.submit(std::move(jobs),
                 [kept, done = std::move(done)](const Result<std::vector<engine::Submitted>>& submitted) {
                   if (!submitted.ok()) return done(submitted.error());
                   std::vector<ports::JobRow> rows;
                   rows.reserve(kept->size());
                   for (std::size_t i = 0; i < submitted->size() && i < kept->size(); ++i)
                     rows.push_back(new_row(std::move((*kept)[i]), (*submitted)[i]));
                   done(std::move(rows));
                 });
}

void EngineJobs::act(const Principal& who, const JobKey& key, core::JobAction action,
                     engine::Done<engine::ActAnswer> done) {
  if (const Status allowed = may_operate(who); !allowed.ok()) return done(allowed.error());
  engine_.act(ports::ActOnJob{key.number, key.id, action, clock_.wall()}, std::move(done));
}

Result<ports::JobRow> EngineJobs::get(const Principal& who, const JobKey& key) {
  if (const Status allowed = may_operate(who); !allowed.ok()) return allowed.error();
  Result<std::optional<ports::JobRow>> row = reads_.job(key.number);
  if (!row.ok()) return row.error();
  if (!row->has_value() || (key.id && (*row)->id != *key.id)) return no_job(to_string(key));
  return std::move(**row);
}

Result<std::vector<ports::JobRow>> EngineJobs::list(const Principal& who, const ports::JobFilter& filter) {
  if (const Status allowed = may_operate(who); !allowed.ok()) return allowed.error();
  return reads_.jobs(filter);
}

Result<std::vector<ports::AttemptRow>> EngineJobs::attempts(const Principal& who, const JobKey& key) {
  const Result<ports::JobRow> job = get(who, key);
  if (!job.ok()) return job.error();
  return reads_.attempts(job->number);
}

Result<JobLog> EngineJobs::log(const Principal& who, const JobKey& key, std::string_view stream,
                               std::optional<int> attempt) {
  const Result<ports::JobRow> job = get(who, key);
  if (!job.ok()) return job.error();
  const int wanted = attempt.value_or(job->attempts);
  if (wanted == 0) return not_found(fmt::format("job {} has not run yet", job->number.value));
  if (wanted > job->attempts)
    return not_found(fmt::format("job {} has no attempt {}", job->number.value, wanted));
  return log_of(job->number, wanted, stream);
}

Result<std::vector<JobLog>> EngineJobs::logs(const Principal& who, const JobKey& key,
                                             std::string_view stream) {
  const Result<std::vector<ports::AttemptRow>> rows = attempts(who, key);
  if (!rows.ok()) return rows.error();
  std::vector<JobLog> out;
  for (const ports::AttemptRow& row : *rows) {
    Result<JobLog> log = log_of(key.number, row.attempt, stream);
    if (!log.ok()) return log.error();
    out.push_back(std::move(*log));
  }
  return out;
}

Result<JobLog> EngineJobs::log_of(JobNumber job, int attempt, std::string_view stream) {
  JobLog out;
  out.attempt = attempt;
  Result<ports::StoredFile> file = artifacts_.log(job, attempt, stream);
  if (!file.ok() && file.error().code != Errc::not_found) return file.error();
  if (file.ok()) out.file = std::move(*file);
  return out;
}

Result<std::vector<ports::ArtifactRow>> EngineJobs::artifacts(const Principal& who, const JobKey& key,
                                                              std::string_view after, int limit) {
  const Result<ports::JobRow> job = get(who, key);
  if (!job.ok()) return job.error();
  return reads_.artifacts(job->number, after, limit);
}

Result<JobFile> EngineJobs::file(const Principal& who, const JobKey& key, const std::string& name) {
  const Result<ports::JobRow> job = get(who, key);
  if (!job.ok()) return job.error();
  Result<std::optional<ports::ArtifactRow>> row = reads_.artifact(job->number, name);
  if (!row.ok()) return row.error();
  if (!row->has_value()) {
    return not_found(name == ports::kCheckpointName
                         ? fmt::format("job {} has no checkpoint", job->number.value)
                         : fmt::format("job {} has no artifact {}", job->number.value, name));
  }
  Result<ports::StoredFile> file = artifacts_.get(job->number, (*row)->attempt, name);
  if (!file.ok()) return file.error();
  return JobFile{std::move(**row), std::move(*file)};
}

}  // namespace

std::unique_ptr<Jobs> make_jobs(engine::Engine& engine, ports::Reads& reads, ports::ArtifactStore& artifacts,
                                const Clock& clock) {
  return std::make_unique<EngineJobs>(engine, reads, artifacts, clock);
}

}  // namespace drover::services
