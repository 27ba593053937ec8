#include <fmt/format.h>

#include "changes/writer.hpp"
#include "codec.hpp"

namespace drover::postgres {

template <>
class Writer<ports::InsertJobs> final : public WriterOf<ports::InsertJobs> {
 public:
  using WriterOf::WriterOf;

  void ask(Round round, Trip& trip) override {
    if (round != Round::first) return;
    for (const std::size_t item : items_) {
      for (const ports::NewJob& job : change(item).jobs) add(job);
      answer(item, {});
    }
    const std::int64_t base = batch_.reserve_events(rows_);
    if (rows_ > 0) batch_.wrote_event_after(base);
    trip.add({"write_insert_jobs",
              Params::of(number_, id_, queue_, name_, owner_, rank_, task_, cpus_, mem_, disk_, gpus_,
                         label_text_, max_attempts_, max_interruptions_, backoff_, timeout_, run_at_, state_,
                         created_, wake_at_, base, batch_.epoch)});
    if (any_label_) trip.add({"write_insert_labels", Params::of(labels_, labelled_)});
  }

  void hear(Round, const Trip&) override {}

 private:
  void add(const ports::NewJob& job) {
    const core::JobSpec& s = job.spec;
    number_.push(job.number), id_.push(job.id), queue_.push(s.queue), name_.push(s.name);
    owner_.push(s.owner), rank_.push(-s.priority), task_.push(s.task), cpus_.push(s.resources.cpus);
    mem_.push(s.resources.mem_mib), disk_.push(s.resources.disk_mib), gpus_.push(s.resources.gpus);
    label_text_.push(s.labels.empty() ? std::nullopt : std::optional(encode_labels(s.labels)));
    max_attempts_.push(s.retry.max_attempts), max_interruptions_.push(s.retry.max_interruptions);
    backoff_.push(s.retry.backoff), timeout_.push(s.timeout), run_at_.push(s.run_at);
    state_.push(core::to_string(s.hold ? core::JobState::held : core::JobState::queued));
    created_.push(job.created);
    wake_at_.push(s.run_at && *s.run_at > job.created ? s.run_at : std::nullopt);
    for (const auto& [key, value] : s.labels) {
      labels_.push(fmt::format("{}={}", key, value)), labelled_.push(job.number);
      any_label_ = true;
    }
    ++rows_;
  }

  Column<JobNumber> number_, labelled_;
  Column<Uuid> id_;
  Column<std::string> labels_, queue_, name_, owner_, task_, label_text_;
  Column<int> rank_, gpus_, max_attempts_, max_interruptions_;
  Column<double> cpus_;
  Column<std::int64_t> mem_, disk_;
  Column<Seconds> backoff_, timeout_;
  Column<WallTime> run_at_, created_, wake_at_;
  Column<std::string_view> state_;
  bool any_label_ = false;
  std::size_t rows_ = 0;
};

DROVER_WRITES(ports::InsertJobs)

}  // namespace drover::postgres
