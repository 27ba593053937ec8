#include <unordered_map>

#include <fmt/format.h>

#include "changes/writer.hpp"

namespace drover::postgres {
namespace {

// Whether the stored outcome may come from this report. The outcome of a release depends on what was known of
// its worker at the time, so two outcomes fit it.
bool same_report(const ports::EndAttempt& end, core::Outcome stored) {
  const bool given_back = stored == core::Outcome::interruption || stored == core::Outcome::infra;
  return end.released ? given_back : end.outcome == stored;
}

}  // namespace

template <>
class Writer<ports::EndAttempt> final : public WriterOf<ports::EndAttempt> {
 public:
  using WriterOf::WriterOf;

  void ask(Round round, Trip& trip) override {
    asked_.reset();
    if (round == Round::first) {
      for (const std::size_t item : items_) (change(item).disposition ? decided_ : missing_).push_back(item);
      if (!decided_.empty()) asked_ = trip.add(end());
    }
    if (round == Round::look_up && !missing_.empty()) asked_ = trip.add(look_up());
  }

  void hear(Round round, const Trip& trip) override {
    if (!asked_) return;
    if (round == Round::first) take_ended(trip.at(*asked_));
    if (round == Round::look_up) judge_missing(trip.at(*asked_));
  }

 private:
  Statement end();
  [[nodiscard]] Statement look_up() const;
  void take_ended(const Rows& rows);
  void judge_missing(const Rows& rows);

  std::int64_t event_base_ = 0;
  Items decided_;
  Items missing_;  // not open, or not with this token, as far as memory or the store knows
};

Statement Writer<ports::EndAttempt>::end() {
  Column<JobNumber> number;
  Column<int> attempt, exit_code, signal, failures, infra, interruptions;
  Column<Sha256> hash;
  Column<std::string_view> outcome, state;
  Column<std::string> reason, job_reason;
  Column<WallTime> wake_at, ended, finished;
  Column<bool> charged, as_it_was;
  Column<int> charges, returns;
  Column<Seconds> alone;
  for (const std::size_t item : decided_) {
    const ports::EndAttempt& of = change(item);
    const core::Disposition& next = *of.disposition;
    const bool later = next.state == core::JobState::queued && next.delay > Seconds{0};
    number.push(of.job), attempt.push(of.attempt), hash.push(of.token_hash);
    outcome.push(core::to_string(of.outcome)), exit_code.push(of.exit_code), signal.push(of.signal);
    reason.push(of.reason), state.push(core::to_string(next.state));
    failures.push(next.counters.failures), infra.push(next.counters.infra);
    interruptions.push(next.counters.interruptions), job_reason.push(next.reason);
    wake_at.push(later ? std::optional<WallTime>(of.now + next.delay) : std::nullopt), ended.push(of.now);
    finished.push(core::is_final(next.state) ? std::optional(of.now) : std::nullopt);
    charged.push(next.charged), charges.push(next.charges), alone.push(next.alone);
    returns.push(next.returns), as_it_was.push(next.as_it_was);
  }
  event_base_ = batch_.reserve_events(decided_.size());
  return {"write_end", Params::of(number, attempt, hash, outcome, exit_code, signal, reason, state, failures,
                                  infra, interruptions, job_reason, wake_at, ended, finished, charged,
                                  charges, alone, returns, as_it_was, event_base_, batch_.epoch)};
}

Statement Writer<ports::EndAttempt>::look_up() const {
  Column<JobNumber> number;
  Column<int> attempt;
  for (const std::size_t item : missing_) number.push(change(item).job), attempt.push(change(item).attempt);
  return {"write_end_repeated", Params::of(number, attempt)};
}

void Writer<ports::EndAttempt>::take_ended(const Rows& rows) {
  if (!rows.empty()) batch_.wrote_event_after(event_base_);
  std::unordered_map<std::int64_t, ports::EndAttempt::Answer> ended;
  for (int r = 0; r < rows.size(); ++r) {
    RowReader row = rows[r];
    ports::EndAttempt::Answer one;
    row.read("number", one.key.number);
    one.state = row.get("state", core::parse_job_state);
    row.read("queue", one.queue).read("rank", one.key.rank).read("wake_at", one.wake_at);
    ended.emplace(one.key.number, std::move(one));
  }
  for (const std::size_t item : decided_) {
    const auto found = ended.find(change(item).job.value);
    if (found == ended.end()) {
      missing_.push_back(item);
    } else {
      answer(item, std::move(found->second));
    }
  }
}

void Writer<ports::EndAttempt>::judge_missing(const Rows& rows) {
  struct Known {
    std::optional<Sha256> hash;
    std::optional<core::Outcome> outcome;
    ports::EndAttempt::Answer now;
  };
  std::unordered_map<std::int64_t, Known> known;
  for (int r = 0; r < rows.size(); ++r) {
    RowReader row = rows[r];
    Known one;
    row.read("number", one.now.key.number).read("token_hash", one.hash);
    one.outcome = row.maybe("outcome", core::parse_outcome);
    core::JobBrief brief{.stored = row.get("state", core::parse_job_state)};
    row.read("queue", one.now.queue).read("rank", one.now.key.rank).read("wake_at", one.now.wake_at);
    const auto wanted = row.maybe("wanted", core::parse_job_state);
    brief.leased = wanted.has_value();
    brief.wanted = wanted.value_or(core::JobState::running);
    one.now.state = core::visible_state(brief);
    one.now.repeated = true;
    known.emplace(one.now.key.number, std::move(one));
  }
  for (const std::size_t item : missing_) {
    const ports::EndAttempt& of = change(item);
    const auto found = known.find(of.job.value);
    if (found == known.end()) {
      refuse(item, not_found(fmt::format("there is no job {}", of.job.value)));
    } else if (!found->second.outcome) {
      refuse(item, stale(fmt::format("attempt {} of job {} is not open with this token", of.attempt,
                                     of.job.value)));
    } else if (of.token_hash && of.token_hash == found->second.hash &&
               same_report(of, *found->second.outcome)) {
      answer(item, std::move(found->second.now));
    } else {
      refuse(item, stale(fmt::format("attempt {} of job {} has ended already, as {}", of.attempt,
                                     of.job.value, core::to_string(*found->second.outcome))));
    }
  }
}

DROVER_WRITES(ports::EndAttempt)

}  // namespace drover::postgres
