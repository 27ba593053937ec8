#include <memory>
#include <utility>

#include "changes/calls.hpp"
#include "changes/define.hpp"

namespace drover::engine {

using ports::InsertJobs;

template <>
struct InEngine<InsertJobs> {
  static void remember(State& state, const InsertJobs& insert, const InsertJobs::Answer&, SteadyTime) {
    state.jobs_submitted += static_cast<std::int64_t>(insert.jobs.size());
    for (const ports::NewJob& job : insert.jobs) {
      if (job.spec.hold) continue;
      const bool later = job.spec.run_at && *job.spec.run_at > job.created;
      state.queued_again({job.spec.queue, {-job.spec.priority, job.number.value}},
                         later ? job.spec.run_at : std::nullopt);
    }
  }
};
DROVER_IN_ENGINE(ports::InsertJobs)

namespace {
InsertJobs make_jobs(Parts& parts, const std::vector<core::JobSpec>& specs, std::vector<Submitted>& answer);
}  // namespace

void submit(Parts& parts, Place place, std::vector<core::JobSpec> specs,
            const Done<std::vector<Submitted>>& done) {
  auto shared = std::make_shared<std::vector<core::JobSpec>>(std::move(specs));
  auto answer = std::make_shared<std::vector<Submitted>>();
  auto make = [&parts, shared, answer]() -> Result<std::optional<InsertJobs>> {
    return std::optional(make_jobs(parts, *shared, *answer));
  };
  auto told = [answer, done](const Result<InsertJobs::Answer>& inserted) {
    if (inserted.ok()) {
      done(std::move(*answer));
    } else {
      done(inserted.error());
    }
  };
  Work work = work_of<InsertJobs>({}, std::move(make), std::move(told));
  work.rows = work.numbers = shared->size();
  for (const core::JobSpec& spec : *shared) work.bytes += spec.task.size();
  parts.pipeline.add(at(std::move(place), std::move(work)));
}

namespace {

// Called when the batch is formed, with at least as many numbers left as there are specs.
InsertJobs make_jobs(Parts& parts, const std::vector<core::JobSpec>& specs, std::vector<Submitted>& answer) {
  const std::vector<JobNumber> numbers = parts.numbers.take(specs.size());
  const WallTime created = parts.clock.wall();
  InsertJobs insert;
  insert.jobs.reserve(specs.size());
  answer.clear();
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const Uuid id = make_job_id(numbers[i], created, static_cast<std::uint32_t>(random_u64()));
    // The spec is copied, not moved: the change is made again when its transaction was lost.
    insert.jobs.push_back(ports::NewJob{numbers[i], id, specs[i], created});
    answer.push_back(
        Submitted{numbers[i], id, specs[i].hold ? core::JobState::held : core::JobState::queued, created});
  }
  return insert;
}

}  // namespace

}  // namespace drover::engine
