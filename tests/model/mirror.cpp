#include "mirror.hpp"

#include <bit>
#include <vector>

#include "drover/base/check.hpp"
#include "drover/ports/tokens.hpp"

#include "changes/calls.hpp"

namespace drover::model {

using core::JobState;
using core::Outcome;

namespace {

constexpr WallTime kWall{Seconds{1'000'000}};
constexpr WallTime kLongAfter{Seconds{2'000'000}};  // every back-off is over
constexpr int kKeys = 10;

JobNumber number_of(int job) {
  return JobNumber{job + 1};
}
char letter(int machine) {
  return static_cast<char>('a' + machine);
}
template <class T>
std::string text(const T& value) {
  return std::string(core::to_string(value));
}
bool is_report(const Change& change) {
  return change.kind == Change::Kind::report || change.kind == Change::Kind::copy;
}

core::JobSpec spec() {
  core::JobSpec out;
  out.queue = kQueue;
  out.task = R"({"command": "true"})";
  out.retry.max_attempts = kMaxAttempts;
  out.retry.backoff = Seconds{0};
  return out;
}

// Both pictures of a job are put together by this.
struct JobPicture {
  JobState visible = JobState::queued;
  int attempts = 0;  // the open one included
  core::Counters counters;
  int charges = 0;
  std::string lease = {};  // of an open one
  std::string ended = {};  // the outcomes of those that ended
  bool ready = false;
};
std::string told(int job, const JobPicture& of) {
  return "job " + std::to_string(job + 1) + ": " + text(of.visible) + ", attempts " +
         std::to_string(of.attempts) + ", failures " + std::to_string(of.counters.failures) + ", infra " +
         std::to_string(of.counters.infra) + ", interruptions " + std::to_string(of.counters.interruptions) +
         ", charges " + std::to_string(of.charges) + ", lease {" + of.lease + "}, ended {" + of.ended + "}" +
         (of.ready ? ", ready" : "") + "\n";
}
std::string told_lease(int attempt, char machine, JobState wanted, std::size_t broken) {
  return "attempt " + std::to_string(attempt) + " on " + machine + ", wanted " + text(wanted) + ", broke " +
         std::to_string(broken) + " machines";
}

}  // namespace

std::string describe(const Asked& asked) {
  constexpr std::array kNames{"claim",  "end",    "end once more", "act",  "move",
                              "enlist", "launch", "gone",          "pause"};
  const Change& end = asked.end;
  const std::string job = " job " + std::to_string(asked.job + 1);
  const std::string machine = std::string(" ") + letter(asked.machine);
  std::string out = kNames.at(static_cast<std::size_t>(asked.what));
  switch (asked.what) {
    case Asked::What::claim:
      out += job + " for" + machine;
      break;
    case Asked::What::end:
    case Asked::What::end_again:
      out += job + ", attempt " + std::to_string(end.attempt) + ", token " + std::to_string(end.token) +
             ", " + text(end.outcome) + (is_report(end) ? ", reported" : "");
      break;
    case Asked::What::act:
      out += job + ", " + text(asked.action);
      break;
    case Asked::What::move:
      out += machine + ", " + text(asked.move);
      break;
    case Asked::What::enlist:
    case Asked::What::launch:
    case Asked::What::gone:
      out += machine;
      break;
    case Asked::What::pause:
      out += asked.paused ? "" : ", its end";
      break;
  }
  return out + (asked.done ? "" : ", refused");
}

Mirror::Mirror() : session_(*store_.lead()) {
  core::PoolSpec pool;
  pool.name = "pool";
  pool.queues = {kQueue};
  pool.max = kMachines;
  ports::PutPool put;
  put.spec = std::move(pool);
  put.create = true;
  put.now = kWall;
  pool_ = commit(std::move(put))->pool.id;
  DROVER_CHECK(*session_->reserve_numbers(kJobs) == number_of(0), "the first jobs of the store");
  ports::InsertJobs insert;
  for (int j = 0; j < kJobs; ++j) insert.jobs.push_back({number_of(j), make_random_uuid(), spec(), kWall});
  DROVER_CHECK(commit(std::move(insert)).ok(), "the jobs are stored");
}

template <class C>
Result<ports::AnswerOf<C>> Mirror::commit(C change) {
  const std::array<ports::Change, 1> batch{std::move(change)};
  auto settled = session_->commit(batch);
  if (!settled.ok()) return settled.error();
  return std::move(ports::result_of<C>(settled->front()));
}

std::string Mirror::judge(const Asked& asked, const World& after) {
  const bool done = ask(asked);
  std::string out;
  if (done != asked.done) out = done ? "the store in memory does it\n" : "the store in memory refuses it\n";
  const std::string model = picture_of(after);
  const std::string store = picture();
  if (model != store) out += "the model holds\n" + model + "the store in memory holds\n" + store;
  return out.empty() ? out : describe(asked) + "\n" + out;
}

bool Mirror::ask(const Asked& asked) {
  switch (asked.what) {
    case Asked::What::claim:
      return claim(asked.job, asked.machine);
    case Asked::What::end:
      return end(asked.end);
    case Asked::What::end_again:
      return end_again(asked.end);
    case Asked::What::act: {
      const auto acted = commit(ports::ActOnJob{number_of(asked.job), {}, asked.action, kWall});
      return acted.ok() && acted->changed;
    }
    case Asked::What::move:
      return move(asked.machine, asked.move);
    case Asked::What::enlist:
      return enlist(asked.machine);
    case Asked::What::launch:
      return launch(asked.machine);
    case Asked::What::gone:
      return move(asked.machine, core::WorkerMove::gone);
    case Asked::What::pause:
      engine_.paused = asked.paused;
      return commit(ports::SetPaused{asked.paused, kWall}).ok();
  }
  return false;
}

bool Mirror::claim(int job, int machine) {
  const Known& by = machines_.at(static_cast<std::size_t>(machine));
  ports::ClaimJob claim{number_of(job), by.worker, random_token(), by.token, kWall};
  const auto claimed = commit(std::move(claim));
  if (!claimed.ok()) return false;
  const auto at = static_cast<std::size_t>(job);
  claimed_[at] = claimed->attempt;
  token_hashes_[{job, ++tokens_[at]}] = claimed->attempt.token_hash;
  return true;
}

// A report carries its token. What a worker gives back is an interruption here, since it does so for a
// notice.
ports::EndAttempt Mirror::reported(ports::EndAttempt end, const Change& change) const {
  if (!is_report(change)) return end;
  const auto found = token_hashes_.find({change.job, change.token});
  end.token_hash = found == token_hashes_.end() ? Sha256{} : found->second;
  end.released = change.outcome == Outcome::interruption;
  return end;
}

// Of the attempt as the engine's memory holds it: as its claim answered, but for what is wanted.
bool Mirror::end(const Change& change) {
  ports::OpenAttempt known = claimed_.at(change.job);
  known.job = number_of(change.job);
  known.attempt = change.attempt;
  known.wanted = change.wanted;
  engine::Break broken;
  broken.undelivered = change.outcome == Outcome::returned;
  const auto ended =
      commit(reported(engine::end_of(known, change.outcome, "for a reason", broken, kWall), change));
  // Back-off is not in the model: time passes.
  if (ended.ok() && ended->wake_at) (void)*commit(ports::WakeJobs{kLongAfter});
  return ended.ok() && !ended->repeated;
}

bool Mirror::end_again(const Change& change) {
  ports::EndAttempt end;
  end.job = number_of(change.job);
  end.attempt = change.attempt;
  end.outcome = change.outcome;
  end.now = kWall;
  const auto ended = commit(reported(std::move(end), change));
  return ended.ok() && ended->repeated;
}

bool Mirror::launch(int machine) {
  ++launches_;
  Known& made = machines_.at(static_cast<std::size_t>(machine));
  ports::InsertLaunch insert;
  insert.pool = pool_;
  insert.request.client_token = "launch-" + std::to_string(launches_);
  const Secret bootstrap = ports::bootstrap_token(Secret("secret"), insert.request.client_token);
  insert.bootstrap_hash = sha256(bootstrap.reveal());
  insert.now = kWall;
  if (!engine::admit(engine_, insert).ok()) return false;
  const auto intended = commit(std::move(insert));
  if (!intended.ok()) return false;
  ports::RecordLaunch record;
  record.launch = intended->launch;
  record.instances.emplace_back();
  record.instances.back().id = "i-" + std::to_string(launches_);
  record.now = kWall;
  const std::string instance = record.instances.back().id;
  const auto recorded = commit(std::move(record));
  if (!recorded.ok() || recorded->workers.size() != 1) return false;
  made = {recorded->workers.front().id, instance, bootstrap, {}};
  return true;
}

bool Mirror::enlist(int machine) {
  Known& of = machines_.at(static_cast<std::size_t>(machine));
  ports::RegisterWorker who;
  who.instance_id = of.instance;
  who.nonce = random_token();
  who.bootstrap_hash = sha256(of.bootstrap.reveal());
  of.token = ports::worker_token(of.bootstrap, of.instance, who.nonce);
  who.token_hash = sha256(of.token.reveal());
  who.now = kWall;
  return commit(std::move(who)).ok();
}

bool Mirror::move(int machine, core::WorkerMove move) {
  ports::MoveWorker of;
  of.worker = machines_.at(static_cast<std::size_t>(machine)).worker;
  of.move = move;
  of.now = kWall;
  if (move == core::WorkerMove::notice) of.notice_until = kLongAfter;
  return commit(std::move(of)).ok();
}

std::string Mirror::picture() {
  const ports::BootState boot = *session_->boot();
  std::string out;
  for (int j = 0; j < kJobs; ++j) {
    const ports::OpenAttempt* open = nullptr;
    for (const ports::OpenAttempt& each : boot.open) {
      if (each.job == number_of(j)) open = &each;
    }
    out += job_picture(j, open);
  }
  std::array<core::WorkerState, kMachines> states;
  states.fill(core::WorkerState::gone);
  for (const ports::WorkerRow& row : boot.workers) {
    bool known = false;
    for (std::size_t m = 0; m < kMachines; ++m) {
      if (machines_[m].worker != row.id) continue;
      states[m] = row.state;
      known = true;
    }
    if (!known) out += "worker " + std::to_string(row.id.value) + ", of none of the machines\n";
  }
  for (const core::WorkerState state : states) out += "worker " + text(state) + "\n";
  return out + (boot.paused ? "paused\n" : "");
}

std::string Mirror::job_picture(int job, const ports::OpenAttempt* open) {
  const ports::JobRow row = **store_.job(number_of(job));
  JobPicture out{row.state, row.attempts, row.counters, row.charges};
  if (open != nullptr) {
    char machine = '?';
    for (int m = 0; m < kMachines; ++m) {
      if (machines_[static_cast<std::size_t>(m)].worker == open->worker) machine = letter(m);
    }
    out.lease = told_lease(open->attempt, machine, open->wanted, open->infra_workers.size());
    if (token_hashes_[{job, tokens_[static_cast<std::size_t>(job)]}] != open->token_hash)
      out.lease += ", with another token";
  }
  const std::vector<ports::AttemptRow> attempts = *store_.attempts(number_of(job));
  for (const ports::AttemptRow& attempt : attempts) {
    if (attempt.outcome) out.ended += std::to_string(attempt.attempt) + " " + text(*attempt.outcome) + " ";
  }
  for (const bool suspects : {false, true}) {
    const ports::ReadyAnswer ready = *store_.ready({kQueue, suspects, {}, kKeys});
    for (const core::ReadyKey& key : ready.keys) out.ready = out.ready || key.number == number_of(job).value;
  }
  return told(job, out);
}

std::string Mirror::picture_of(const World& world) const {
  std::string out;
  for (int j = 0; j < kJobs; ++j) {
    const Job& job = world.jobs[static_cast<std::size_t>(j)];
    out += job_picture_of(job, j);
  }
  for (const Machine& machine : world.machines) out += "worker " + text(machine.worker) + "\n";
  return out + (world.paused ? "paused\n" : "");
}

std::string Mirror::job_picture_of(const Job& job, int index) const {
  const Lease& lease = job.lease;
  JobPicture out{core::visible_state({job.stored, lease.open, lease.wanted}),
                 lease.open ? lease.attempt : job.attempts,
                 {job.failures, job.infra, job.interruptions},
                 job.infra};
  if (lease.open) {
    const int broken = job.infra_gone + std::popcount(job.infra_here);
    out.lease =
        told_lease(lease.attempt, letter(lease.machine), lease.wanted, static_cast<std::size_t>(broken));
    if (lease.token != tokens_[static_cast<std::size_t>(index)]) out.lease += ", with another token";
  }
  for (std::size_t attempt = 0; attempt < kRows; ++attempt) {
    const Row& row = job.rows[attempt];
    if (row.there) out.ended += std::to_string(attempt) + " " + text(row.outcome) + " ";
  }
  out.ready = job.stored == JobState::queued && !lease.open;
  return told(index, out);
}

}  // namespace drover::model
