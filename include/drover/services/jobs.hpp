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
  std::optional<Uuid> id;  // given: a job of this number with another id is not the one
};
// not_found, for what no job has as its name.
Error no_job(std::string_view name);
std::string to_string(const JobKey& key);

// How many jobs one request may bring: invalid for none, too_large, with what to do instead, for too many.
Status check_count(std::size_t jobs);

struct JobLog {
  int attempt = 0;
  std::optional<ports::StoredFile> file;  // absent: nothing was written yet
};
struct JobFile {
  ports::ArtifactRow row;
  ports::StoredFile file;
};

// What people ask of jobs. Thread-safe. What answers by a Done returns at once, as the engine does; all other
// calls block on the store, and are `unavailable` while that is away.
class Jobs {
 public:
  virtual ~Jobs() = default;

  // 1..limits::kJobsPerRequest, all or none; too_large for more. What a job leaves unsaid
  // (core::kUnsaidAttempts) is filled in. The rows as they were committed.
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
  // By name, those above `after`: the latest attempt's of each, without the checkpoint.
  virtual Result<std::vector<ports::ArtifactRow>> artifacts(const Principal& who, const JobKey& key,
                                                            std::string_view after, int limit) = 0;
  // An artifact, or the checkpoint (ports::kCheckpointName).
  virtual Result<JobFile> file(const Principal& who, const JobKey& key, const std::string& name) = 0;
};

// What is referred to must outlive it.
std::unique_ptr<Jobs> make_jobs(engine::Engine& engine, ports::Reads& reads, ports::ArtifactStore& artifacts,
                                const Clock& clock);

}  // namespace drover::services
