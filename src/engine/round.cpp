#include "round.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "drover/base/check.hpp"
#include "drover/base/limits.hpp"
#include "drover/base/log.hpp"

#include "changes/in_engine.hpp"
#include "claims.hpp"
#include "view.hpp"

namespace drover::engine {
namespace {

constexpr Seconds kDoubtPatience{20};  // waiters of a commit in doubt are told "unknown" after this
constexpr Seconds kStandstill{1};      // a round that comes so much too late found the process stopped
constexpr Seconds kSecondCheck{60};    // two failed checks within this: reading anew does not help
// A round at least every so often: one that comes too late tells of a standstill of the process, and what is
// shown stays fresh.
constexpr Millis kPulse{500};
constexpr Millis kShowEvery{100};
constexpr int kShowShare = 10;  // showing takes at most one part in this many of the time

Error in_doubt() {
  return Error{
      Errc::commit_unknown,
      "the store went away while it was committing, and whether the change was made is not known yet; "
      "look before trying again",
      {},
      {},
      2};
}

}  // namespace

Parts::Parts(const Clock& the_clock, const EngineOptions& the_options, const Contact& contact)
    : clock(the_clock),
      options(the_options),
      term(contact, the_options.takeover),
      pipeline([](const ports::Change&, const ports::Settled&) {}) {}

Loop::Loop(const Clock& clock, const EngineOptions& options, ports::Metrics& metrics, const Contact& contact,
           Hand hand)
    : parts_(clock, options, contact),
      metrics_(metrics),
      hand_(std::move(hand)),
      expected_(SteadyTime::max()) {
  parts_.pipeline = Pipeline(
      [this](const ports::Change& change, const ports::Settled& settled) { committed(change, settled); });
  metrics_.describe("drover_check_failures_total",
                    "Times that the engine's accounts contradicted themselves.");
}

void Loop::round(Inbox::Mail mail) {
  checked([this] { notice_standstill(); });
  for (News& news : mail.news) checked([&] { hear(std::move(news)); });
  for (Call& call : mail.calls) checked([&] { serve(call); });
  checked([this] { move_on(); });
  show();
  expected_ = due();
}

Loop::Head Loop::head() const {
  const State& state = parts_.state;
  const bool leading = parts_.term.leading() && parts_.term.trusted(parts_.clock.steady()).ok();
  return {leading,     parts_.term.store_reachable(), state.paused,  state.accounts.counting(),
          state.epoch, parts_.term.standby_reason(),  state.tunables};
}

// Runs before callers are told what came of the round, so that none of them finds an older pause or tunable
// in what is shown.
void Loop::show() {
  const SteadyTime now = parts_.clock.steady();
  Head present = head();
  stale_ = now < show_from_ && shown_ == present;
  if (stale_) return;
  hand_.show(view_of(parts_, {QueuesWanted::Which::longest, limits::kStatusQueues, {}}));
  shown_ = std::move(present);
  show_from_ = now + std::max<SteadyTime::duration>(kShowEvery, kShowShare * (parts_.clock.steady() - now));
}

// A broken check ends the term; the rest of the round is served as by a standby.
template <class F>
void Loop::checked(F&& step) {
  try {
    step();
  } catch (const CheckFailed& failed) {
    check_failed(failed.what());
  }
}

void Loop::move_on() {
  if (parts_.term.leading()) {
    if (!parts_.pipeline.under_way()) form_batch();
    end_overdue_polls(parts_);
  } else if (parts_.pipeline.in_doubt() && parts_.clock.steady() > doubt_until_) {
    parts_.pipeline.abandon_doubt(in_doubt());
  }
  if (parts_.state.accounts.take_growth()) parts_.feed.wake_fleet();
  parts_.feed.pass_on();
}

// A process that was stopped heard no heartbeats. The time for which it stood still does not count as silence
// of the workers.
void Loop::notice_standstill() {
  const SteadyTime now = parts_.clock.steady();
  if (!parts_.term.leading() || expected_ == SteadyTime::max() || now - expected_ < kStandstill) return;
  const SteadyTime::duration stood = now - expected_;
  log_warn("this process stood still for {} ms: leases are longer by that",
           std::chrono::duration_cast<Millis>(stood).count());
  parts_.state.stood_still(stood);
  for (auto& chore : chores_) chore->stood_still(parts_);
}

void Loop::hear(News news) {
  if (auto* led = std::get_if<Led>(&news)) {
    begin_term(std::move(*led));
  } else if (const auto* not_led = std::get_if<NotLed>(&news)) {
    parts_.term.end(not_led->why, not_led->reachable);
    parts_.pipeline.refuse_all(not_leading(not_led->why));
  } else if (const auto* lost = std::get_if<Lost>(&news)) {
    end_term(lost->why);
  } else if (auto* done = std::get_if<OrderDone>(&news)) {
    const bool leading = parts_.term.leading();
    parts_.pipeline.outcome(*done, leading);
    if (!leading) return;
    if (done->numbers > 0) parts_.numbers.add(done->first_number, done->numbers);
    if (parts_.counting.is_beginning()) {
      if (done->count_begun) {
        parts_.state.accounts.count_begins();
        parts_.counting.begun();
        const auto early = std::exchange(early_count_, std::nullopt);
        if (early && is_of_this_term(early->epoch)) take_count(*early);
      } else {
        parts_.counting.failed(parts_.clock.steady());
      }
    }
    serve_held_polls(parts_);
  } else if (auto* resolved = std::get_if<Resolved>(&news)) {
    parts_.pipeline.resolved(std::move(*resolved));
  } else if (const auto* open = std::get_if<CountOpen>(&news)) {
    if (is_of_this_term(open->epoch)) parts_.counting.opened();
  } else if (const auto* counted = std::get_if<Counted>(&news)) {
    if (!is_of_this_term(counted->epoch)) return;
    // The counter may tell of a quick count before the writer tells of the order that began it.
    if (parts_.counting.is_beginning() && counted->depths.ok()) {
      early_count_ = *counted;
    } else {
      take_count(*counted);
    }
  } else if (auto* read = std::get_if<KeysRead>(&news)) {
    if (is_of_this_term(read->wanted.epoch)) parts_.keys_read.push_back(std::move(*read));
  }
}

bool Loop::is_of_this_term(std::int64_t epoch) const {
  return parts_.term.leading() && epoch == parts_.state.epoch;
}

// Takes over what was counted. A queue with more ready jobs than memory has keys is read again.
void Loop::take_count(const Counted& counted) {
  if (!counted.depths.ok()) {
    log_warn("the ready jobs were not counted: {}", counted.depths.error().message);
    parts_.counting.failed(parts_.clock.steady());
    return;
  }
  if (!parts_.counting.is_begun()) return;
  State& state = parts_.state;
  std::int64_t jobs = 0;
  for (const ports::QueueDepth& depth : *counted.depths) jobs += depth.ready;
  log_info("counted the ready jobs: {} in {} queues", jobs, counted.depths->size());
  state.accounts.count_ends(*counted.depths);
  parts_.counting.done();
  for (const auto& [name, queue] : state.accounts.queues()) {
    if (queue.unserved() > state.waiting_in_memory(name) && state.ready.is_whole(name) &&
        state.suspects.is_whole(name)) {
      state.restart(name);
    }
  }
  parts_.feed.wake_fleet();
}

void Loop::begin_term(Led led) {
  const SteadyTime now = parts_.clock.steady();
  parts_.state.boot(std::move(led.state), now, parts_.clock.wall());
  parts_.feed.tokens.open();
  for (const auto& [id, worker] : parts_.state.workers) parts_.feed.tokens.put(worker.row);
  parts_.numbers.clear();
  parts_.to_rescan.clear();
  parts_.keys_wanted.clear();
  parts_.keys_read.clear();
  parts_.keys_from = now;
  parts_.waiting_suspects.clear();
  parts_.claims_from = now;
  parts_.partitions_wanted = false;
  parts_.counting.begin_term(now);
  for (const auto& [id, pool] : parts_.state.pools) {
    for (const std::string& queue : core::queues_of(pool.spec)) parts_.to_rescan.insert(queue);
  }
  for (auto& chore : chores_) chore->begin_term(now);
  parts_.term.begin(now);
  parts_.feed.wake_fleet();
}

void Loop::end_term(const std::string& why) {
  const Error error = not_leading(why);
  parts_.term.end(why, false);
  parts_.feed.tokens.close(error);
  parts_.pipeline.refuse_all(error);
  for (const Waiter& waiter : parts_.waiters.take_all()) waiter.done(error);
  doubt_until_ = parts_.clock.steady() + kDoubtPatience;
}

void Loop::serve(Call& call) {
  if (parts_.term.leading() || call.always) {
    call.run(parts_, std::move(call.place));
  } else {
    call.place.reset();
    call.refuse(not_leading(parts_.term.standby_reason()));
  }
}

void Loop::form_batch() {
  const SteadyTime now = parts_.clock.steady();
  for (auto& chore : chores_) {
    if (chore->due(parts_) <= now) chore->run(parts_);
  }
  // Before anything is claimed, so that each reading that has begun hears of every claim.
  take_keys(parts_);
  ask_for_keys(parts_);
  Order order;
  parts_.pipeline.begin();
  match(parts_);
  const std::size_t lacking = parts_.pipeline.fill(parts_.numbers.left());
  order.numbers = parts_.numbers.to_reserve(lacking);
  for (KeysWanted& wanted : std::exchange(parts_.keys_wanted, {})) hand_.read_keys(std::move(wanted));
  if (parts_.counting.take_opening(now)) hand_.open_count(parts_.state.epoch);
  order.count = parts_.counting.take_beginning();
  if (std::exchange(parts_.partitions_wanted, false)) hand_.make_partitions();
  order.ping = !parts_.term.trusted(now).ok();
  order.changes = parts_.pipeline.send();
  if (order.empty()) {
    parts_.pipeline.nothing_sent();
  } else {
    hand_.put(std::move(order));
  }
}

void Loop::committed(const ports::Change& change, const ports::Settled& settled) {
  std::visit(
      [&]<class C>(const C& specific) {
        const ports::AnswerOf<C>& answer = *ports::result_of<C>(settled);
        remember(parts_.state, specific, answer, parts_.clock.steady());
        if constexpr (requires { answer.worker.token_hash; }) {
          end_polls_of_ineligible(parts_, answer.worker.id);
        }
        if constexpr (std::is_same_v<C, ports::PutPool>) {
          // Until the jobs are counted, only the keys of its queues show what the pool has to serve.
          if (parts_.state.accounts.counting()) {
            for (const std::string& queue : core::queues_of(answer.pool.spec)) parts_.to_rescan.insert(queue);
          }
          for (const auto& [id, worker] : parts_.state.workers) {
            if (worker.row.pool == answer.pool.id) parts_.waiters.serve(id, worker.row.queues);
          }
        }
      },
      change);
  parts_.feed.committed(change, settled);
}

SteadyTime Loop::due() const {
  const SteadyTime now = parts_.clock.steady();
  SteadyTime next = now + kPulse;
  if (stale_) next = std::min(next, show_from_);
  if (!parts_.term.leading()) return parts_.pipeline.in_doubt() ? std::min(next, doubt_until_) : next;
  if (const auto deadline = parts_.waiters.first_end()) next = std::min(next, *deadline);
  if (parts_.pipeline.under_way()) return next;  // its outcome comes as news
  if (parts_.pipeline.waiting() > 0 || !parts_.keys_read.empty() || may_ask_for_keys(parts_)) return now;
  if (parts_.keys_from > now) next = std::min(next, parts_.keys_from);
  if (parts_.claims_from > now) next = std::min(next, parts_.claims_from);
  next = std::min(next, std::max(now, parts_.counting.due()));
  for (const auto& chore : chores_) next = std::min(next, chore->due(parts_));
  return next;
}

// The accounts in memory are wrong, so this daemon gives leadership up. The next leader, this daemon or
// another, reads the store anew.
void Loop::check_failed(const char* what) {
  log_error("a check failed, and this daemon gives leadership up: {}", what);
  metrics_.add("drover_check_failures_total", 1);
  const SteadyTime now = parts_.clock.steady();
  if (failed_check_ && now - *failed_check_ < kSecondCheck) std::abort();
  failed_check_ = now;
  end_term("the accounts in memory contradicted themselves");
  parts_.pipeline.abandon_doubt(in_doubt());
  hand_.resign("the accounts in memory contradicted themselves");
}

void Loop::end_polls() {
  for (const Waiter& waiter : parts_.waiters.take_all()) waiter.done(ClaimAnswer{});
}

void Loop::part() {
  if (!parts_.term.leading() || !parts_.pipeline.idle()) return;
  Order order;
  order.unused = parts_.numbers.last_unused();
  parts_.numbers.clear();
  if (order.empty()) return;
  parts_.pipeline.begin();
  order.changes = parts_.pipeline.send();
  hand_.put(std::move(order));
}

void Loop::close(const Error& why) {
  parts_.feed.tokens.close(why);
  end_polls();
  parts_.pipeline.abandon_doubt(why);
  parts_.pipeline.refuse_all(why);
  EngineView last;
  last.standby_reason = why.message;
  hand_.show(std::move(last));
}

}  // namespace drover::engine
