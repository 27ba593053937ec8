#include <utility>

#include "drover/base/log.hpp"

#include "changes/define.hpp"
#include "engine_impl.hpp"

namespace drover::engine {

using ports::InsertJobs;

template <>
struct InEngine<InsertJobs> {
  static void remember(Memory& memory, const InsertJobs& insert, const InsertJobs::Answer&, SteadyTime) {
    memory.jobs_submitted += static_cast<std::int64_t>(insert.jobs.size());
    for (const ports::NewJob& job : insert.jobs) {
      if (job.spec.hold) continue;
      const bool later = job.spec.run_at && *job.spec.run_at > job.created;
      memory.queued_again({job.spec.queue, {-job.spec.priority, job.number.value}},
                          later ? job.spec.run_at : std::nullopt);
    }
  }
};
DROVER_IN_ENGINE(ports::InsertJobs)

void Engine::submit(std::vector<core::JobSpec> specs, Done<std::vector<Submitted>> done) {
  auto refuse = refuse_by(done);
  std::size_t bytes = 0;
  for (const core::JobSpec& spec : specs) bytes += sizeof(spec) + spec.task.size();
  auto shared = std::make_shared<std::vector<core::JobSpec>>(std::move(specs));
  impl_->post([this, shared, done = std::move(done)] { impl_->do_submit(std::move(*shared), done); },
              std::move(refuse), bytes);
}

Result<std::vector<JobNumber>> Engine::Impl::take_numbers(std::size_t count) {
  constexpr std::int64_t kBlock = 4096;
  const auto wanted = static_cast<std::int64_t>(count);
  if (numbers_left_ < wanted) {
    const auto block = std::max(kBlock, wanted);
    const auto first = session_->reserve_numbers(static_cast<int>(block));
    if (!first) {
      log_warn("no job numbers: {}", first.error().message);
      last_contact_ = {};  // the session may be lost: the store is asked before anything else is answered
      return Error{Errc::unavailable, "the store is out of reach; nothing was changed", {}, {}, 1};
    }
    next_number_ = first->value;
    numbers_left_ = block;
  }
  std::vector<JobNumber> numbers;
  numbers.reserve(count);
  for (std::size_t i = 0; i < count; ++i) numbers.push_back(JobNumber{next_number_++});
  numbers_left_ -= wanted;
  return numbers;
}

void Engine::Impl::do_submit(std::vector<core::JobSpec> specs, const Done<std::vector<Submitted>>& done) {
  auto shared = std::make_shared<std::vector<core::JobSpec>>(std::move(specs));
  auto answer = std::make_shared<std::vector<Submitted>>();
  const std::size_t rows = shared->size();
  std::size_t bytes = 0;
  for (const core::JobSpec& spec : *shared) bytes += spec.task.size();
  auto make = [this, shared, answer]() -> Result<std::optional<InsertJobs>> {
    const auto numbers = take_numbers(shared->size());
    if (!numbers) return numbers.error();
    const WallTime created = clock_.wall();
    InsertJobs insert;
    insert.jobs.reserve(shared->size());
    answer->clear();
    for (std::size_t i = 0; i < shared->size(); ++i) {
      const Uuid id = make_job_id((*numbers)[i], created, static_cast<std::uint32_t>(random_u64()));
      // The specs stay with the work: it is made again when its transaction was lost.
      insert.jobs.push_back(ports::NewJob{(*numbers)[i], id, (*shared)[i], created});
      answer->push_back(Submitted{
          (*numbers)[i], id, (*shared)[i].hold ? core::JobState::held : core::JobState::queued, created});
    }
    return std::optional(std::move(insert));
  };
  auto told = [answer, done](const Result<InsertJobs::Answer>& inserted) {
    if (inserted) {
      done(std::move(*answer));
    } else {
      done(inserted.error());
    }
  };
  committer_.add(work_of<InsertJobs>({}, std::move(make), std::move(told), rows, bytes));
}

}  // namespace drover::engine
