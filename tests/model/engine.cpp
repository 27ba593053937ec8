#include "engine.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "drover/core/worker/lease.hpp"
#include "drover/core/worker/machine_end.hpp"

namespace drover::model {

using core::JobState;
using core::Outcome;
using core::WorkerState;

namespace {

constexpr SteadyTime kPresent{Seconds{1'000'000}};
constexpr std::int64_t kFirstDelivery = 1;

Seconds half_a_term() {
  return Seconds{core::Tunables{}.lease_s / kTermOver};
}

core::LeaseTerm term_of(const Lease& lease) {
  core::LeaseTerm out;
  out.deadline = kPresent + half_a_term() * (kTermOver - lease.age);
  out.answered = kPresent;
  out.delivery = lease.again ? kFirstDelivery + 1 : kFirstDelivery;
  return out;
}
// How often it was handed out matters only while the first answer may be noticed not to have been delivered.
void put_term(Lease& lease, const core::LeaseTerm& term) {
  lease.age = static_cast<Byte>(kTermOver - (term.deadline - kPresent) / half_a_term());
  lease.again = lease.undelivered && term.delivery > kFirstDelivery;
}

bool is_of(const Lease& lease, const Change& end) {
  return lease.open && lease.attempt == end.attempt && lease.token == end.token;
}
bool is_of(const Run& run, const Change& end) {
  return run.phase != Phase::none && run.job == end.job && run.attempt == end.attempt &&
         run.token == end.token;
}

}  // namespace

bool acts(const Machine& machine) {
  return machine.instance == Instance::running && machine.process == Process::up;
}

bool is_over(const Lease& lease) {
  return core::judge_lease(term_of(lease), kPresent) != core::LeaseVerdict::stands;
}

bool end_is_sent(const World& world, int job) {
  return is_end(world.jobs[static_cast<std::size_t>(job)].flying.kind);
}

bool is_under_way(const World& world, int job, Change::Kind kind) {
  const auto is_it = [&](const Change& change) {
    return change.kind != Change::Kind::none && change.job == job &&
           (kind == Change::Kind::none || change.kind == kind);
  };
  return is_it(world.jobs[static_cast<std::size_t>(job)].flying) ||
         std::any_of(world.waiting.begin(), world.waiting.end(), is_it);
}

bool is_concerned(const World& world, int index) {
  const Machine& machine = world.machines[static_cast<std::size_t>(index)];
  if (machine.run.phase != Phase::none && is_under_way(world, machine.run.job)) return true;
  for (int j = 0; j < kJobs; ++j) {
    const Job& job = world.jobs[static_cast<std::size_t>(j)];
    if (job.flying.kind == Change::Kind::claim && job.flying.machine == index) return true;
    if (job.lease.open && job.lease.machine == index && is_under_way(world, j)) return true;
  }
  return false;
}

std::vector<int> free_workers(const World& world) {
  std::vector<int> out;
  for (int m = 0; m < kMachines; ++m) {
    const Machine& machine = world.machines[static_cast<std::size_t>(m)];
    const auto is_for_it = [&](const Job& job) {
      return job.flying.kind == Change::Kind::claim && job.flying.machine == m;
    };
    const bool claiming = std::any_of(world.jobs.begin(), world.jobs.end(), is_for_it);
    if (acts(machine) && machine.worker == WorkerState::active && machine.run.phase == Phase::none &&
        !machine.noticed && !claiming && !lease_of(world, m)) {
      out.push_back(m);
    }
  }
  return out;
}

void Engine::add(const Change& change) {
  const auto free = std::find_if(world_.waiting.begin(), world_.waiting.end(),
                                 [](const Change& each) { return each.kind == Change::Kind::none; });
  *free = change;
}

void Engine::form(const std::vector<int>& asking) {
  const bool may_match = !world_.paused && (world_.ready & kUnread) == 0;
  const Formed& formed = former_.form(world_, may_match ? static_cast<int>(asking.size()) : 0, bug_);
  for (std::size_t i = 0; i < formed.claimed.size(); ++i) {
    const int of = formed.claimed[i];
    Change claim;
    claim.kind = Change::Kind::claim;
    claim.job = static_cast<Byte>(of);
    claim.machine = static_cast<Byte>(asking[i]);
    job(of).flying = claim;
    machine(asking[i]).quiet = 0;
    world_.ready = without_ready(world_.ready, of);
  }
  const auto waited = std::exchange(world_.waiting, {});
  for (const int place : formed.made) make(waited[static_cast<std::size_t>(place)]);
  for (const int place : formed.put_off) {
    Change change = waited[static_cast<std::size_t>(place)];
    for (const int made : formed.made) {
      const Change& passed = waited[static_cast<std::size_t>(made)];
      if (change.put_off && !passed.put_off && passed.job == change.job) store_.broke(kPutOffFirst);
    }
    change.put_off = true;
    add(change);
  }
  if (world_.reading == Reading::wanted) world_.reading = Reading::flying;
  // Nothing came of what was made: the next batch is formed at once.
  if (!in_flight(world_) && world_.waiting.front().kind != Change::Kind::none) form({});
}

// Decided on what is remembered now.
void Engine::make(Change change) {
  Lease& lease = job(change.job).lease;
  change.put_off = false;
  switch (change.kind) {
    case Change::Kind::none:
    case Change::Kind::claim:
      return;
    case Change::Kind::act:
      break;
    case Change::Kind::report:
    case Change::Kind::copy:
      make_report(change);
      return;
    case Change::Kind::expiry: {
      if (!is_of(lease, change)) return;  // it has ended meanwhile
      if (!is_over(lease) && bug_ != Bug::waiting_expiry_not_asked) return;
      const Machine& holder = machine(lease.machine);
      if (holder.quiet < kTermOver) store_.broke(kSilenceAlone);
      const bool told_of_notice = holder.noticed && holder.worker != WorkerState::active;
      change.outcome = core::outcome_of_broken_worker(holder.worker, told_of_notice);
      break;
    }
    case Change::Kind::loss:
      if (!is_of(lease, change)) return;
      break;
    case Change::Kind::give_back: {
      if (!is_of(lease, change)) return;
      const core::LeaseTerm term = term_of(lease);
      const bool any = bug_ == Bug::give_back_takes_repeat;
      const bool may = core::may_give_back(term, any ? term.delivery : kFirstDelivery);
      lease.undelivered = lease.again = false;
      if (!may) return;
      change.outcome = Outcome::returned;
      break;
    }
  }
  if (is_end(change.kind)) change.wanted = lease.wanted;
  job(change.job).flying = change;
}

// What memory does not hold may be a repeat of what was accepted before: the store knows, and is asked in a
// batch of its own here.
void Engine::make_report(Change end) {
  const Lease& lease = job(end.job).lease;
  const Bug blind =
      end.outcome == Outcome::interruption ? Bug::release_without_token : Bug::finish_without_token;
  if (is_of(lease, end) || (lease.open && bug_ == blind)) {
    end.wanted = lease.wanted;
    job(end.job).flying = end;
    return;
  }
  store_.end_again(end);
  if (end.kind == Change::Kind::report) answer_report(end);
}

void Engine::answer_report(const Change& report) {
  Machine& by = machine(report.machine);
  if (acts(by) && is_of(by.run, report)) by.run = {};
}

World Engine::take_flight() {
  World out = world_;
  for (Job& each : world_.jobs) each.flying = {};
  for (Machine& each : world_.machines) each.cordon = false;
  world_.pausing = false;
  if (world_.reading == Reading::flying) world_.reading = Reading::none;
  return out;
}

void Engine::committed(unsigned reached, const std::vector<int>& asking) {
  const World flight = take_flight();
  if (bug_ == Bug::batch_before_remembered && world_.waiting.front().kind != Change::Kind::none) {
    form({});
    apply(flight, reached);
    return;
  }
  apply(flight, reached);
  if (world_.waiting.front().kind == Change::Kind::none) return;
  // Of those that asked, whom the outcome has left free: the poll of a cordoned worker is over.
  const std::vector<int> free = asking.empty() ? asking : free_workers(world_);
  std::vector<int> still;
  std::set_intersection(asking.begin(), asking.end(), free.begin(), free.end(), std::back_inserter(still));
  form(still);
}

// In the order of the transaction: ends, actions, claims, workers, the pause. Keys that are being read are as
// they were before it, which is the hardest for memory: it has to add to them all that the batch did.
void Engine::apply(const World& flight, unsigned reached) {
  const auto is_reached = [&](int index) { return (reached >> index & 1U) != 0; };
  const Ready before = store_.ready();
  for (const Job& each : flight.jobs) {
    const Change& change = each.flying;
    if (change.kind == Change::Kind::act) store_.act(change.job, change.action);
    if (!is_end(change.kind)) continue;
    const Lease lease = each.lease;
    if (change.kind == Change::Kind::expiry && job(change.job).lease.age < kTermOver)
      store_.broke(kRenewalHolds);
    if (change.kind == Change::Kind::give_back && is_of(machine(lease.machine).run, change))
      store_.broke(kGivenStays);
    store_.end(change);
    if (change.kind == Change::Kind::loss) store_.gone(lease.machine);
    if (change.kind == Change::Kind::report && is_reached(change.machine)) answer_report(change);
  }
  for (const Job& each : flight.jobs) {
    const Change& claim = each.flying;
    if (claim.kind != Change::Kind::claim) continue;
    if (store_.claim(claim.job, claim.machine)) {
      answer_claim(claim.job, claim.machine, is_reached(claim.machine));
    } else {
      world_.reading = Reading::wanted;  // the store knows better what is ready
    }
  }
  for (int m = 0; m < kMachines; ++m) {
    if (flight.machines[static_cast<std::size_t>(m)].cordon) store_.move(m, core::WorkerMove::cordon_idle);
  }
  if (flight.pausing) store_.pause(!flight.paused);
  if (flight.reading == Reading::flying) {
    const Ready after = store_.ready();
    auto came = static_cast<Ready>(after & ~before);
    auto went = static_cast<Ready>(before & ~after);
    for (int j = 0; j < kJobs; ++j) {
      const bool claimed = flight.jobs[static_cast<std::size_t>(j)].flying.kind == Change::Kind::claim;
      if (claimed) went |= ready_bit(j);
    }
    if (bug_ == Bug::keys_before_commit) came = went = 0;
    if (bug_ == Bug::keys_lack_what_came) came = 0;
    world_.ready = read_anew(world_.ready, before, came, went);
  }
}

void Engine::answer_claim(int of, int by, bool reached) {
  Machine& worker = machine(by);
  Lease& lease = job(of).lease;
  if (!acts(worker)) return;
  if (!reached) {
    lease.undelivered = true;
    return;
  }
  worker.quiet = 0;
  worker.run = Run{Phase::running, static_cast<Byte>(of), lease.attempt, lease.token};
}

void Engine::refused() {
  const World flight = take_flight();
  for (const Job& each : flight.jobs) {
    const bool goes_back = each.flying.kind == Change::Kind::claim && bug_ != Bug::refused_claim_loses_job;
    if (goes_back) world_.ready = with_ready(world_.ready, each.flying.job);
    // The attempt runs on, and what was heard of it while its end was in flight counts.
    Lease& lease = job(each.flying.job).lease;
    const bool counts = is_end(each.flying.kind) && lease.open && bug_ != Bug::refusal_forgets_heartbeat;
    if (counts) lease.age = std::min(lease.age, machine(lease.machine).quiet);
  }
  if (flight.reading == Reading::flying) world_.ready = read_anew(world_.ready, store_.ready(), 0, 0);
  if (world_.waiting.front().kind != Change::Kind::none) form({});
}

void Engine::died(bool committed, unsigned reached) {
  const World flight = take_flight();
  if (committed) apply(flight, reached);
  world_.leading = false;
  world_.launch = false;
  world_.waiting = {};
  world_.ready = kUnread;
  world_.reading = Reading::none;
  world_.pausing = false;
  for (Machine& each : world_.machines) each.quiet = 0;
  for (Job& each : world_.jobs) {
    each.lease.age = 0;
    each.lease.again = false;
    if (bug_ != Bug::delivery_outlives_term) each.lease.undelivered = false;
  }
}

void Engine::takes_over() {
  world_.leading = true;
  world_.reading = Reading::wanted;
  for (Job& each : world_.jobs) {
    if (each.lease.open && bug_ == Bug::takeover_gives_no_term) each.lease.age = kTermOver;
  }
}

void Engine::hears(int index) {
  Machine& by = machine(index);
  by.quiet = 0;
  const auto held = lease_of(world_, index);
  if (!held || by.run.phase != Phase::none) {
    heartbeat(index);
    return;
  }
  // Its poll once more, since no answer came. While the attempt's end is with the writer, that waits.
  if (end_is_sent(world_, *held)) return;
  Lease& lease = job(*held).lease;
  put_term(lease, core::handed_out(term_of(lease), kPresent, core::Tunables{}));
  by.run = Run{Phase::running, static_cast<Byte>(*held), lease.attempt, lease.token};
}

// The worker is told what to stop; of an end that is with the writer the next heartbeat is told.
void Engine::heartbeat(int index) {
  Machine& by = machine(index);
  // While a batch is in flight the notice only waits, and the next heartbeat tells of it again.
  if (by.noticed && !in_flight(world_)) store_.move(index, core::WorkerMove::notice);
  if (by.run.phase == Phase::none) return;
  if (!renews(by.run)) {
    if (by.run.phase == Phase::running) by.run = {};  // not ours any more: killed, and not spoken of
    return;
  }
  const bool stops = job(by.run.job).lease.wanted != JobState::running && !end_is_sent(world_, by.run.job);
  if (stops && by.run.phase == Phase::running) by.run.phase = Phase::stopped;
}

void Engine::hears_report(int index) {
  machine(index).quiet = 0;
  if (bug_ != Bug::report_renews_nothing) (void)renews(machine(index).run);
}

// What is fenced is renewed; false: it is not. An end that the writer has stands, whatever is heard
// meanwhile.
bool Engine::renews(const Run& run) {
  Lease& lease = job(run.job).lease;
  if (!lease.open || lease.attempt != run.attempt || lease.token != run.token) return false;
  const bool stands = end_is_sent(world_, run.job) && bug_ != Bug::heartbeat_renews_ending;
  if (!stands) put_term(lease, core::listed(term_of(lease), kPresent, core::Tunables{}));
  return true;
}

}  // namespace drover::model
