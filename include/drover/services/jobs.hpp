#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/engine/engine.hpp"
#include "drover/ports/artifact_store.hpp"
#include "drover/ports/reads.hpp"
#include "drover/services/principal.hpp"

namespace drover::services {

// A job as its callers name it.
struct JobKey {
  JobNumber number;
  std::optional<Uuid> id;  // if given, the job must have this id as well
};
// not_found for a job; `name` is its number or id as the caller wrote it.
Error no_job(std::string_view name);
std::string to_string(const JobKey& key);

// Checks the number of jobs in one request: invalid for none, too_large for more than
// limits::kJobsPerRequest.
Status check_count(std::size_t jobs);

struct JobLog {
  int attempt = 0;
  std::optional<ports::StoredFile> file;  // absent: nothing was written yet
};
struct JobFile {
  ports::ArtifactRow row;
  ports::StoredFile file;
};

// The calls of people about jobs. Thread-safe. Those with a Done return at once, as the engine's do; all
// others block on the store, and fail with `unavailable` while it is out of reach.
class Jobs {
 public:
  virtual ~Jobs() = default;

  // Submits 1 to limits::kJobsPerRequest jobs, all or none; too_large for more. What a job leaves open
  // (core::kUnsaidAttempts) is filled in. Answers the rows as they were committed.
  virtual void submit(const Principal& who, std::vector<core::JobSpec> jobs,
                      engine::Done<std::vector<ports::JobRow>> done) = 0;
  virtual void act(const Principal& who, const JobKey& key, core::JobAction action,
                   engine::Done<engine::ActAnswer> done) = 0;

  virtual Result<ports::JobRow> get(const Principal& who, const JobKey& key) = 0;
  virtual Result<std::vector<ports::JobRow>> list(const Principal& who, const ports::JobFilter& filter) = 0;
  // Oldest first, the open one last.
  virtual Result<std::vector<ports::AttemptRow>> attempts(const Principal& who, const JobKey& key) = 0;
  // Of the latest attempt unless one is named. `stream` is "stdout" or "stderr".
  virtual Result<JobLog> log(const Principal& who, const JobKey& key, std::string_view stream,
                             std::optional<int> attempt) = 0;
  // Of all attempts, oldest first.
  virtual Result<std::vector<JobLog>> logs(const Principal& who, const JobKey& key,
                                           std::string_view stream) = 0;
  // In the order of their names, those with names above `after`; of each name the latest attempt's. The
  // checkpoint is not among them.
  virtual Result<std::vector<ports::ArtifactRow>> artifacts(const Principal& who, const JobKey& key,
                                                            std::string_view after, int limit) = 0;
  // An artifact, or the checkpoint (ports::kCheckpointName).
  virtual Result<JobFile> file(const Principal& who, const JobKey& key, const std::string& name) = 0;
};

// The arguments must outlive the answer.
std::unique_ptr<Jobs> make_jobs(engine::Engine& engine, ports::Reads& reads, ports::ArtifactStore& artifacts,
                                const Clock& clock);

}  // namespace drover::services
