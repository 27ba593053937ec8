#include "changes/define.hpp"

namespace drover::memstore {

using ports::InsertJobs;

template <>
struct InMemory<InsertJobs> {
  static Result<InsertJobs::Answer> carry_out(Data& data, const InsertJobs& insert) {
    for (const ports::NewJob& one : insert.jobs) {
      for (const std::string* text : {&one.spec.queue, &one.spec.name, &one.spec.owner, &one.spec.task}) {
        if (Status good = check_text(*text); !good.ok()) return good.error();
      }
      if (data.jobs.contains(one.number)) {
        return Error{Errc::data, "duplicate key value violates unique constraint", {}, "23505"};
      }
      Job job;
      job.id = one.id;
      job.spec = one.spec;
      job.state = one.spec.hold ? core::JobState::held : core::JobState::queued;
      job.created = one.created;
      if (one.spec.run_at && *one.spec.run_at > one.created) job.wake_at = one.spec.run_at;
      data.jobs.emplace(one.number, std::move(job));
      data.happened("submitted", one.number.value);
    }
    return InsertJobs::Answer{};
  }
};
DROVER_IN_MEMORY(ports::InsertJobs)

}  // namespace drover::memstore
