#include "store.hpp"

#include <bit>

namespace drover::model {

using core::JobState;
using core::Outcome;
using core::WorkerState;

std::optional<int> lease_of(const World& world, int machine) {
  for (int j = 0; j < kJobs; ++j) {
    const Lease& lease = world.jobs[static_cast<std::size_t>(j)].lease;
    if (lease.open && lease.machine == machine) return j;
  }
  return std::nullopt;
}

bool Store::told(bool done, Asked asked) {
  if (witness_ == nullptr) return done;
  asked.done = done;
  witness_->saw(asked, world_);
  return done;
}

bool Store::claim(int index, int by) {
  return told(do_claim(index, by), {.what = Asked::What::claim, .job = index, .machine = by});
}

bool Store::do_claim(int index, int by) {
  Job& wanted = job(index);
  const bool active = machine(by).worker == WorkerState::active;
  if (wanted.stored != JobState::queued || wanted.lease.open || !active) return false;
  if (world_.paused) broke(kPausedIsPaused);
  ++wanted.tokens;
  wanted.lease = Lease{.open = true,
                       .attempt = static_cast<Byte>(wanted.attempts + 1),
                       .token = wanted.tokens,
                       .machine = static_cast<Byte>(by)};
  return true;
}

bool Store::end(const Change& end) {
  return told(do_end(end), {.what = Asked::What::end, .job = end.job, .end = end});
}

bool Store::do_end(const Change& end) {
  Job& of = job(end.job);
  const bool own = of.lease.open && of.lease.attempt == end.attempt && of.lease.token == end.token;
  const Bug blind =
      end.outcome == Outcome::interruption ? Bug::release_without_token : Bug::finish_without_token;
  if (!own && (!of.lease.open || bug_ != blind)) return false;
  if (!own) broke(kOnlyItsOwn);
  const Byte before = of.attempts;
  close(of, end);
  if (bug_ == Bug::expiry_keeps_number && end.kind == Change::Kind::expiry) of.attempts = before;
  return true;
}

bool Store::end_again(const Change& end) {
  Job& of = job(end.job);
  const Row& row = of.rows.at(end.attempt);
  const bool repeated = row.there && row.token == end.token && row.outcome == end.outcome;
  if (repeated && bug_ == Bug::repeat_counts_again) count(end.job, end.outcome, JobState::running, 0);
  return told(repeated, {.what = Asked::What::end_again, .job = end.job, .end = end});
}

// The statement of an end: the lease goes, the attempt is written, the job becomes what the core decides.
void Store::close(Job& of, const Change& end) {
  const Lease lease = of.lease;
  of.lease = {};
  const bool reported = end.kind == Change::Kind::report || end.kind == Change::Kind::copy;
  of.rows.at(lease.attempt) = Row{true, reported ? lease.token : Byte{0}, end.outcome};
  ++of.ended;
  of.attempts = lease.attempt;
  if (lease.wanted == JobState::running) {
    if (end.outcome == Outcome::failure) ++of.true_failures;
    if (end.outcome == Outcome::infra) ++of.true_infra;
    if (end.outcome == Outcome::interruption) ++of.true_interruptions;
  }
  count(end.job, end.outcome, end.wanted, lease.machine);
}

void Store::count(int index, Outcome outcome, JobState wanted, int by) {
  Job& of = job(index);
  if (bug_ == Bug::interruption_is_failure && outcome == Outcome::interruption) outcome = Outcome::failure;
  if (bug_ == Bug::end_forgets_cancel && wanted == JobState::cancelled) wanted = JobState::running;
  const bool infra = outcome == Outcome::infra;
  const auto broke_it = static_cast<Byte>(infra ? of.infra_here | (1 << by) : of.infra_here);
  core::RetryRules retry;
  retry.max_attempts = kMaxAttempts;
  retry.backoff = Seconds{0};
  // A machine runs one job at a time, so every infra end is met alone, and charged.
  core::EndedAttempt ended{outcome,
                           wanted,
                           {of.failures, of.infra, of.interruptions},
                           retry,
                           of.infra_gone + std::popcount(broke_it),
                           {}};
  ended.charges = of.infra;
  ended.undelivered = outcome == Outcome::returned;
  const core::Disposition after = core::decide_end(ended);
  if (after.charged) of.infra_here = broke_it;
  of.failures = static_cast<Byte>(after.counters.failures);
  of.infra = static_cast<Byte>(after.counters.infra);
  of.interruptions = static_cast<Byte>(after.counters.interruptions);
  become(index, after.state);
}

// Memory hears of it at the same time.
void Store::become(int index, JobState state) {
  job(index).stored = state;
  world_.ready =
      state == JobState::queued ? with_ready(world_.ready, index) : without_ready(world_.ready, index);
}

bool Store::act(int index, core::JobAction action) {
  return told(do_act(index, action), {.what = Asked::What::act, .job = index, .action = action});
}

bool Store::do_act(int index, core::JobAction action) {
  Job& of = job(index);
  const core::ActionDecision decision =
      core::decide_action({of.stored, of.lease.open, of.lease.wanted}, action);
  using Decided = core::ActionDecision::Kind;
  if (decision.kind == Decided::refuse || decision.kind == Decided::nothing) return false;
  if (action == core::JobAction::cancel) of.cancelled = true;
  if (action == core::JobAction::requeue) of.cancelled = false;
  if (decision.kind == Decided::want) {
    of.lease.wanted = decision.state;
    return true;
  }
  if (core::is_final(of.stored)) {  // counted anew
    of.failures = of.infra = of.interruptions = of.infra_gone = of.infra_here = 0;
    of.true_failures = of.true_infra = of.true_interruptions = 0;
  }
  become(index, decision.state);
  return true;
}

bool Store::move(int index, core::WorkerMove move) {
  Machine& of = machine(index);
  const bool blind = bug_ == Bug::cordon_ignores_lease;
  const core::MoveDecision decision =
      core::decide_move({.state = of.worker,
                         .registered = of.worker != WorkerState::starting,
                         .leased = !blind && lease_of(world_, index).has_value()},
                        move);
  if (decision.kind == core::MoveDecision::Kind::move) of.worker = decision.to;
  return told(decision.kind != core::MoveDecision::Kind::refuse,
              {.what = Asked::What::move, .machine = index, .move = move});
}

bool Store::enlist(int index) {
  Machine& of = machine(index);
  const auto decision = core::decide_registration(core::RegistrationBrief{of.worker, false, {}}, {});
  const bool accepted = decision.kind == core::RegistrationDecision::Kind::accept;
  if (accepted) of.worker = decision.to;
  return told(accepted, {.what = Asked::What::enlist, .machine = index});
}

bool Store::launch(int index) {
  return told(do_launch(index), {.what = Asked::What::launch, .machine = index});
}

bool Store::do_launch(int index) {
  if (world_.paused && bug_ != Bug::pause_misses_what_was_decided) return false;
  if (world_.paused) broke(kPausedIsPaused);
  Machine& of = machine(index);
  of.instance = Instance::running;
  of.worker = WorkerState::starting;
  of.process = Process::up;
  return true;
}

void Store::gone(int index) {
  machine(index) = {};
  for (Job& each : world_.jobs) {
    if ((each.infra_here & (1 << index)) == 0) continue;
    each.infra_here = static_cast<Byte>(each.infra_here & ~(1 << index));
    ++each.infra_gone;
  }
  (void)told(true, {.what = Asked::What::gone, .machine = index});
}

void Store::pause(bool paused) {
  world_.paused = paused;
  (void)told(true, {.what = Asked::What::pause, .paused = paused});
}

Ready Store::ready() const {
  Ready out = 0;
  for (int j = 0; j < kJobs; ++j) {
    const Job& each = world_.jobs[static_cast<std::size_t>(j)];
    if (each.stored == JobState::queued && !each.lease.open) out |= ready_bit(j);
  }
  return out;
}

namespace {

const char* contradiction_of(const World& world, const Job& job) {
  const bool known =
      job.stored == JobState::queued || job.stored == JobState::held || core::is_final(job.stored);
  if (!known || (job.lease.open && job.stored != JobState::queued)) return kStatesAgree;
  if (job.lease.open && world.machines[job.lease.machine].worker == WorkerState::gone) return kStatesAgree;
  const bool stopping = job.lease.open && job.lease.wanted == JobState::cancelled;
  if (job.cancelled && !stopping && !core::is_final(job.stored)) return kCancelKept;
  if (job.failures != job.true_failures || job.infra != job.true_infra ||
      job.interruptions != job.true_interruptions || job.attempts != job.ended ||
      job.tokens != job.ended + (job.lease.open ? 1 : 0)) {
    return kCountersTrue;
  }
  return nullptr;
}

}  // namespace

const char* contradiction(const World& world) {
  for (const Job& job : world.jobs) {
    if (const char* broken = contradiction_of(world, job)) return broken;
  }
  for (int j = 0; j < kJobs; ++j) {
    const Job& job = world.jobs[static_cast<std::size_t>(j)];
    const bool free = job.stored == JobState::queued && !job.lease.open;
    if (is_ready(world.ready, j) && !free) return kReadyTrue;
  }
  for (int m = 0; m < kMachines; ++m) {
    const bool cordoned = world.machines[static_cast<std::size_t>(m)].worker == WorkerState::terminating;
    if (cordoned && lease_of(world, m)) return kNoLeaseAfterCordon;
  }
  return nullptr;
}

}  // namespace drover::model
