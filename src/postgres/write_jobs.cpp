#include <unordered_map>

#include <fmt/format.h>

#include "batch.hpp"
#include "job_statements.hpp"
#include "rows.hpp"

namespace drover::postgres {
namespace {

using ports::Changed;
using ports::ChangeJob;
using ports::ClaimJob;
using ports::EndAttempt;
using ports::InsertJobs;

template <class C>
Index indexes_of(std::span<const ports::Command> commands) {
  Index out;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    if (std::holds_alternative<C>(commands[i])) out.push_back(i);
  }
  return out;
}

struct SeenJob {
  Uuid id;
  WallTime finished_at;
  core::JobBrief brief;
  std::string queue;
  core::ReadyKey key;
  std::optional<WallTime> wake_at;
  bool suspect = false;
};

Changed changed(const SeenJob& job, bool really, core::JobState after, std::optional<WallTime> wake_at) {
  const core::JobBrief& was = job.brief;
  const bool was_ready = was.stored == core::JobState::queued && !was.leased && !job.wake_at;
  return {really,  was_ready, was.leased ? core::JobState::running : was.stored,
          after,   {},        job.queue,
          job.key, wake_at,   job.suspect};
}

// Is it the report that this outcome came of? How a release was classified may have depended on what was
// known of its worker then.
bool same_report(const EndAttempt& end, core::Outcome stored) {
  const bool given_back = stored == core::Outcome::interruption || stored == core::Outcome::infra;
  return end.released ? given_back : end.outcome == stored;
}

// The whole of one batch's work on jobs.
class JobWrites {
 public:
  explicit JobWrites(Batch& batch)
      : batch_(batch),
        inserts_(indexes_of<InsertJobs>(batch.commands)),
        ends_(indexes_of<EndAttempt>(batch.commands)),
        changes_(indexes_of<ChangeJob>(batch.commands)),
        claims_(indexes_of<ClaimJob>(batch.commands)) {}

  Status run() {
    if (auto done = first_trip(); !done) return done;
    if (auto done = look_up(); !done) return done;
    if (auto done = second_trip(); !done) return done;
    return explain_refused_claims();
  }

 private:
  template <class C>
  const C& command(std::size_t i) const {
    return std::get<C>(batch_.commands[i]);
  }
  template <class C>
  Column<JobNumber> numbers(const Index& index) const {
    Column<JobNumber> out;
    for (const std::size_t i : index) out.push(command<C>(i).job);
    return out;
  }
  void answer(std::size_t i, ports::Applied applied) {
    batch_.outcomes[i] = ports::Outcome(std::move(applied));
  }
  void refuse(std::size_t i, Errc code, std::string message) {
    batch_.outcomes[i] = ports::Outcome(Error{code, std::move(message)});
  }

  Status first_trip();
  Status look_up();
  Status second_trip();
  Status explain_refused_claims();
  void take_ends(const Rows& rows);
  void take_changes(const Rows& rows);
  void take_claims(const Rows& rows);
  void answer_missing_ends(const Rows& rows);
  void decide_change(std::size_t i);
  void want(std::size_t i, const SeenJob& job, core::JobState wanted);
  void store(std::size_t i, const SeenJob& job, core::JobState state);

  Batch& batch_;
  Index inserts_, ends_, changes_, claims_;
  Index missing_ends_, unseen_changes_, refused_claims_;
  std::int64_t ends_event_ = 0;
  std::unordered_map<std::int64_t, SeenJob> seen_;                  // by number, of changes
  std::unordered_map<std::int64_t, ports::OpenAttempt> claimable_;  // by number
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

Status JobWrites::first_trip() {
  std::vector<Statement> out{{"BEGIN", {}, true}, {"write_start"}};
  if (!inserts_.empty()) {
    append_inserts(batch_, inserts_, out);
    for (const std::size_t i : inserts_) answer(i, ports::Inserted{});
  }
  const std::size_t at_end = out.size();
  if (!ends_.empty()) {
    ends_event_ = batch_.reserve_events(ends_.size());
    out.push_back(end_statement(batch_, ends_, ends_event_));
  }
  const std::size_t at_change = out.size();
  if (!changes_.empty()) out.push_back({"write_change_read", Params::of(numbers<ChangeJob>(changes_))});
  const std::size_t at_claim = out.size();
  if (!claims_.empty()) out.push_back({"write_claim_read", Params::of(numbers<ClaimJob>(claims_))});
  auto rows = batch_.connection.pipeline(out);
  if (!rows) return rows.error();
  std::int64_t epoch = 0;
  (*rows)[1][0] >> batch_.xid >> epoch;
  if (epoch != batch_.epoch) {
    batch_.connection.shut();
    return Error{Errc::unavailable, "another daemon leads by now", {}, {}, 1};
  }
  if (!ends_.empty()) take_ends((*rows)[at_end]);
  if (!changes_.empty()) take_changes((*rows)[at_change]);
  if (!claims_.empty()) take_claims((*rows)[at_claim]);
  return Ok{};
}

void JobWrites::take_ends(const Rows& rows) {
  if (!rows.empty()) batch_.wrote_event_after(ends_event_);
  std::unordered_map<std::int64_t, ports::Ended> ended;
  for (int r = 0; r < rows.size(); ++r) {
    RowReader row = rows[r];
    ports::Ended one;
    row >> one.key.number;
    one.state = row.get(core::parse_job_state);
    row >> one.queue >> one.key.rank >> one.wake_at;
    ended.emplace(one.key.number, std::move(one));
  }
  for (const std::size_t i : ends_) {
    const auto found = ended.find(command<EndAttempt>(i).job.value);
    if (found == ended.end()) {
      missing_ends_.push_back(i);
    } else {
      answer(i, std::move(found->second));
    }
  }
}

void JobWrites::take_changes(const Rows& rows) {
  for (int r = 0; r < rows.size(); ++r) {
    RowReader row = rows[r];
    SeenJob job;
    row >> job.key.number >> job.id >> job.finished_at;
    job.brief.stored = row.get(core::parse_job_state);
    row.skip();  // how many attempts it has had
    row >> job.queue >> job.key.rank >> job.wake_at;
    job.suspect = row.get<Seconds>() > Seconds{0};
    const auto wanted = row.maybe(core::parse_job_state);
    job.brief.leased = wanted.has_value();
    job.brief.wanted = wanted.value_or(core::JobState::running);
    seen_.emplace(job.key.number, std::move(job));
  }
  unseen_changes_.clear();
  for (const std::size_t i : changes_) {
    if (!seen_.contains(command<ChangeJob>(i).job.value)) unseen_changes_.push_back(i);
  }
}

void JobWrites::take_claims(const Rows& rows) {
  for (int r = 0; r < rows.size(); ++r) {
    RowReader row = rows[r];
    ports::OpenAttempt open;
    read_job_run(row, open);
    ++open.attempt;
    const auto state = row.get(core::parse_job_state);
    const bool due = !row.get<std::optional<WallTime>>();
    if (state == core::JobState::queued && due) claimable_.emplace(open.job.value, std::move(open));
  }
}

// The rare cases: ends of attempts that are not open, changes of jobs that are not alive.
Status JobWrites::look_up() {
  std::vector<Statement> out;
  if (!missing_ends_.empty()) {
    Column<int> attempts;
    for (const std::size_t i : missing_ends_) attempts.push(command<EndAttempt>(i).attempt);
    out.push_back({"write_end_repeated", Params::of(numbers<EndAttempt>(missing_ends_), attempts)});
  }
  if (!unseen_changes_.empty()) {
    out.push_back({"write_change_read_final", Params::of(numbers<ChangeJob>(unseen_changes_))});
  }
  if (out.empty()) return Ok{};
  auto rows = batch_.connection.pipeline(out);
  if (!rows) return rows.error();
  if (!missing_ends_.empty()) answer_missing_ends(rows->front());
  if (!unseen_changes_.empty()) take_changes(rows->back());
  return Ok{};
}

void JobWrites::answer_missing_ends(const Rows& rows) {
  struct Known {
    std::optional<Sha256> hash;
    std::optional<core::Outcome> outcome;
    ports::Ended now;
  };
  std::unordered_map<std::int64_t, Known> known;
  for (int r = 0; r < rows.size(); ++r) {
    RowReader row = rows[r];
    Known one;
    row >> one.now.key.number >> one.hash;
    one.outcome = row.maybe(core::parse_outcome);
    core::JobBrief brief{.stored = row.get(core::parse_job_state)};
    row >> one.now.queue >> one.now.key.rank >> one.now.wake_at;
    const auto wanted = row.maybe(core::parse_job_state);
    brief.leased = wanted.has_value();
    brief.wanted = wanted.value_or(core::JobState::running);
    one.now.state = core::visible_state(brief);
    one.now.repeated = true;
    known.emplace(one.now.key.number, std::move(one));
  }
  for (const std::size_t i : missing_ends_) {
    const auto& end = command<EndAttempt>(i);
    const auto found = known.find(end.job.value);
    if (found == known.end()) {
      refuse(i, Errc::not_found, fmt::format("there is no job {}", end.job.value));
    } else if (!found->second.outcome) {
      refuse(i, Errc::stale,
             fmt::format("attempt {} of job {} is not open with this token", end.attempt, end.job.value));
    } else if (end.token_hash && end.token_hash == found->second.hash &&
               same_report(end, *found->second.outcome)) {
      answer(i, std::move(found->second.now));
    } else {
      refuse(i, Errc::stale,
             fmt::format("attempt {} of job {} has ended already, as {}", end.attempt, end.job.value,
                         core::to_string(*found->second.outcome)));
    }
  }
}

void JobWrites::decide_change(std::size_t i) {
  const auto& change = command<ChangeJob>(i);
  const auto found = seen_.find(change.job.value);
  if (found == seen_.end() || (change.id && *change.id != found->second.id)) {
    return refuse(i, Errc::not_found,
                  fmt::format("there is no job {}",
                              change.id ? to_string(*change.id) : std::to_string(change.job.value)));
  }
  const SeenJob& job = found->second;
  const core::ActionDecision decision = core::decide_action(job.brief, change.action);
  const core::JobState visible = core::visible_state(job.brief);
  switch (decision.kind) {
    case core::ActionDecision::Kind::nothing:
      return answer(i, changed(job, false, visible, job.wake_at));
    case core::ActionDecision::Kind::refuse:
      return refuse(i, Errc::conflict,
                    fmt::format("cannot {} job {}: {}", core::to_string(change.action), change.job.value,
                                decision.reason));
    case core::ActionDecision::Kind::want:
      return want(i, job, decision.state);
    case core::ActionDecision::Kind::store:
      return store(i, job, decision.state);
  }
}

void JobWrites::want(std::size_t i, const SeenJob& job, core::JobState wanted) {
  const auto& change = command<ChangeJob>(i);
  wants_.number.push(change.job), wants_.wanted.push(core::to_string(wanted)), wants_.at.push(change.now);
  wants_.kind.push(core::to_string(change.action)), ++wants_.count;
  core::JobBrief after = job.brief;
  after.wanted = wanted;
  Changed done = changed(job, true, core::visible_state(after), job.wake_at);
  done.wanted = wanted;
  answer(i, std::move(done));
}

void JobWrites::store(std::size_t i, const SeenJob& job, core::JobState state) {
  const auto& change = command<ChangeJob>(i);
  const bool was_final = core::is_final(job.brief.stored);
  const bool final_now = core::is_final(state);
  const bool wake_later = !was_final && !final_now && job.wake_at && *job.wake_at > change.now;
  const std::optional<WallTime> wake_at = wake_later ? job.wake_at : std::nullopt;
  stores_.number.push(change.job), stores_.was.push(job.finished_at),
      stores_.state.push(core::to_string(state));
  stores_.finished.push(final_now ? change.now : kInfinity), stores_.wake_at.push(wake_at);
  stores_.anew.push(was_final), stores_.at.push(change.now),
      stores_.kind.push(core::to_string(change.action));
  ++stores_.count;
  Changed done = changed(job, true, state, wake_at);
  if (was_final) done.suspect = false;  // it begins anew
  answer(i, std::move(done));
}

Status JobWrites::second_trip() {
  for (const std::size_t i : changes_) decide_change(i);
  std::vector<Statement> out;
  if (stores_.count > 0) {
    const auto base = batch_.reserve_events(stores_.count);
    batch_.wrote_event_after(base);
    out.push_back({"write_change_state",
                   Params::of(stores_.number, stores_.was, stores_.state, stores_.finished, stores_.wake_at,
                              stores_.anew, stores_.at, stores_.kind, base, batch_.epoch)});
  }
  if (wants_.count > 0) {
    const auto base = batch_.reserve_events(wants_.count);
    batch_.wrote_event_after(base);
    out.push_back({"write_change_wanted",
                   Params::of(wants_.number, wants_.wanted, wants_.at, wants_.kind, base, batch_.epoch)});
  }
  Column<JobNumber> number;
  Column<int> attempt;
  Column<WorkerId> worker;
  Column<std::string> nonce;
  Column<Sha256> hash;
  Column<WallTime> started;
  for (const std::size_t i : claims_) {
    const auto& claim = command<ClaimJob>(i);
    const auto found = claimable_.find(claim.job.value);
    if (found == claimable_.end()) continue;
    ports::OpenAttempt& open = found->second;
    open.worker = claim.worker, open.nonce = claim.nonce, open.started = claim.started;
    open.token_hash = sha256(ports::attempt_token(claim.worker_token, claim.nonce, claim.job, open.attempt));
    number.push(open.job), attempt.push(open.attempt), worker.push(open.worker), nonce.push(open.nonce);
    hash.push(open.token_hash), started.push(open.started);
  }
  const auto claim_event = batch_.reserve_events(claimable_.size());
  if (!claimable_.empty()) {
    out.push_back({"write_claim",
                   Params::of(number, attempt, worker, nonce, hash, started, claim_event, batch_.epoch)});
  }
  std::vector<Rows> results;
  if (!out.empty()) {
    auto rows = batch_.connection.pipeline(out);
    if (!rows) return rows.error();
    results = std::move(*rows);
  }
  std::unordered_map<std::int64_t, bool> claimed;
  if (!claimable_.empty()) {
    const Rows& rows = results.back();
    if (!rows.empty()) batch_.wrote_event_after(claim_event);
    for (int r = 0; r < rows.size(); ++r) claimed[rows[r].get<std::int64_t>()] = true;
  }
  for (const std::size_t i : claims_) {
    const std::int64_t job = command<ClaimJob>(i).job.value;
    if (claimed.contains(job)) {
      answer(i, ports::Claimed{std::move(claimable_.at(job))});
    } else {
      refused_claims_.push_back(i);
    }
  }
  return Ok{};
}

Status JobWrites::explain_refused_claims() {
  if (refused_claims_.empty()) return Ok{};
  Column<WorkerId> workers;
  for (const std::size_t i : refused_claims_) workers.push(command<ClaimJob>(i).worker);
  auto rows =
      batch_.connection.run("write_claim_refused", Params::of(numbers<ClaimJob>(refused_claims_), workers));
  if (!rows) return rows.error();
  std::unordered_map<std::int64_t, std::string> why;
  for (int r = 0; r < rows->size(); ++r) {
    RowReader row = (*rows)[r];
    const auto number = row.get<std::int64_t>();
    const auto state = row.get<std::optional<std::string>>();
    const bool later = row.get<bool>();
    const bool leased = row.get<bool>();
    const auto worker = row.get<std::optional<std::string>>();
    why[number] = !state               ? "it is not alive"
                  : leased             ? "it runs already"
                  : *state != "queued" ? "it is " + *state
                  : later              ? "its time has not come"
                  : !worker            ? "there is no such worker"
                                       : "the worker is " + *worker;
  }
  for (const std::size_t i : refused_claims_) {
    const std::int64_t job = command<ClaimJob>(i).job.value;
    refuse(i, Errc::conflict, fmt::format("cannot claim job {}: {}", job, why[job]));
  }
  return Ok{};
}

}  // namespace

Status write_jobs(Batch& batch) {
  return JobWrites(batch).run();
}

}  // namespace drover::postgres
