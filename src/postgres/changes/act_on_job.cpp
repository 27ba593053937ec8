#include <unordered_map>

#include <fmt/format.h>

#include "changes/writer.hpp"

namespace drover::postgres {
namespace {

using ports::ActOnJob;

struct SeenJob {
  Uuid id;
  WallTime finished_at;
  core::JobBrief brief;
  std::string queue;
  core::ReadyKey key;
  std::optional<WallTime> wake_at;
  bool suspect = false;
};

ActOnJob::Answer answer_of(const SeenJob& job, bool changed, core::JobState after,
                           std::optional<WallTime> wake_at) {
  const core::JobBrief& was = job.brief;
  ActOnJob::Answer out;
  out.changed = changed;
  out.was_ready = was.stored == core::JobState::queued && !was.leased && !job.wake_at;
  out.before = was.leased ? core::JobState::running : was.stored;
  out.after = after;
  out.queue = job.queue;
  out.key = job.key;
  out.wake_at = wake_at;
  out.suspect = job.suspect;
  return out;
}

}  // namespace

template <>
class Writer<ActOnJob> final : public WriterOf<ActOnJob> {
 public:
  using WriterOf::WriterOf;

  void ask(Round round, Trip& trip) override {
    asked_.reset();
    if (round == Round::first) asked_ = trip.add({"write_change_read", Params::of(numbers(items_))});
    if (round == Round::look_up && !unseen_.empty())
      asked_ = trip.add({"write_change_read_final", Params::of(numbers(unseen_))});
    if (round == Round::second) write(trip);
  }

  void hear(Round round, const Trip& trip) override {
    if (asked_) take(trip.at(*asked_));
    if (round == Round::first) {
      for (const std::size_t item : items_) {
        if (!seen_.contains(change(item).job.value)) unseen_.push_back(item);
      }
    }
  }

 private:
  [[nodiscard]] Column<JobNumber> numbers(const Items& items) const {
    Column<JobNumber> out;
    for (const std::size_t item : items) out.push(change(item).job);
    return out;
  }
  void take(const Rows& rows);
  void write(Trip& trip);
  void decide(std::size_t item);
  void want(std::size_t item, const SeenJob& job, core::JobState wanted);
  void store(std::size_t item, const SeenJob& job, core::JobState state);

  std::unordered_map<std::int64_t, SeenJob> seen_;  // by number
  Items unseen_;                                    // jobs that have ended, or do not exist
  struct {
    Column<JobNumber> number;
    Column<WallTime> was, finished, wake_at, at;
    Column<std::string_view> state, kind;
    Column<bool> anew;
    std::size_t count = 0;
  } stores_;
  struct {
    Column<JobNumber> number;
    Column<std::string_view> wanted, kind;
    Column<WallTime> at;
    std::size_t count = 0;
  } wants_;
};

void Writer<ActOnJob>::take(const Rows& rows) {
  for (int r = 0; r < rows.size(); ++r) {
    RowReader row = rows[r];
    SeenJob job;
    row.read("number", job.key.number).read("id", job.id).read("finished_at", job.finished_at);
    job.brief.stored = row.get("state", core::parse_job_state);
    row.read("queue", job.queue).read("rank", job.key.rank).read("wake_at", job.wake_at);
    job.suspect = row.get<Seconds>("alone_s") > Seconds{0};
    const auto wanted = row.maybe("wanted", core::parse_job_state);
    job.brief.leased = wanted.has_value();
    job.brief.wanted = wanted.value_or(core::JobState::running);
    seen_.emplace(job.key.number, std::move(job));
  }
}

void Writer<ActOnJob>::write(Trip& trip) {
  for (const std::size_t item : items_) decide(item);
  if (stores_.count > 0) {
    const auto base = batch_.reserve_events(stores_.count);
    batch_.wrote_event_after(base);
    trip.add({"write_change_state",
              Params::of(stores_.number, stores_.was, stores_.state, stores_.finished, stores_.wake_at,
                         stores_.anew, stores_.at, stores_.kind, base, batch_.epoch)});
  }
  if (wants_.count > 0) {
    const auto base = batch_.reserve_events(wants_.count);
    batch_.wrote_event_after(base);
    trip.add({"write_change_wanted",
              Params::of(wants_.number, wants_.wanted, wants_.at, wants_.kind, base, batch_.epoch)});
  }
}

void Writer<ActOnJob>::decide(std::size_t item) {
  const ActOnJob& of = change(item);
  const auto found = seen_.find(of.job.value);
  if (found == seen_.end() || (of.id && *of.id != found->second.id)) {
    return refuse(item, not_found(fmt::format("there is no job {}",
                                              of.id ? to_string(*of.id) : std::to_string(of.job.value))));
  }
  const SeenJob& job = found->second;
  const core::ActionDecision decision = core::decide_action(job.brief, of.action);
  switch (decision.kind) {
    case core::ActionDecision::Kind::nothing:
      return answer(item, answer_of(job, false, core::visible_state(job.brief), job.wake_at));
    case core::ActionDecision::Kind::refuse:
      return refuse(item, conflict(fmt::format("cannot {} job {}: {}", core::to_string(of.action),
                                               of.job.value, decision.reason)));
    case core::ActionDecision::Kind::want:
      return want(item, job, decision.state);
    case core::ActionDecision::Kind::store:
      return store(item, job, decision.state);
  }
}

void Writer<ActOnJob>::want(std::size_t item, const SeenJob& job, core::JobState wanted) {
  const ActOnJob& of = change(item);
  wants_.number.push(of.job), wants_.wanted.push(core::to_string(wanted)), wants_.at.push(of.now);
  wants_.kind.push(core::to_string(of.action)), ++wants_.count;
  core::JobBrief after = job.brief;
  after.wanted = wanted;
  ActOnJob::Answer done = answer_of(job, true, core::visible_state(after), job.wake_at);
  done.wanted = wanted;
  answer(item, std::move(done));
}

void Writer<ActOnJob>::store(std::size_t item, const SeenJob& job, core::JobState state) {
  const ActOnJob& of = change(item);
  const bool was_final = core::is_final(job.brief.stored);
  const bool final_now = core::is_final(state);
  const bool wake_later = !was_final && !final_now && job.wake_at && *job.wake_at > of.now;
  const std::optional<WallTime> wake_at = wake_later ? job.wake_at : std::nullopt;
  stores_.number.push(of.job), stores_.was.push(job.finished_at);
  stores_.state.push(core::to_string(state)), stores_.finished.push(final_now ? of.now : kInfinity);
  stores_.wake_at.push(wake_at), stores_.anew.push(was_final), stores_.at.push(of.now);
  stores_.kind.push(core::to_string(of.action)), ++stores_.count;
  ActOnJob::Answer done = answer_of(job, true, state, wake_at);
  if (was_final) done.suspect = false;  // a final job that is queued again starts as a new one
  answer(item, std::move(done));
}

DROVER_WRITES(ActOnJob)

}  // namespace drover::postgres
