#include "walks.hpp"

#include <algorithm>
#include <array>

namespace drover::model {

using core::JobState;
using core::Outcome;
using core::WorkerState;

namespace {

constexpr int kMostAttempts = kRows - 2;  // of a job: there is a row for one more

bool has_rows_left(const World& world) {
  return std::all_of(world.jobs.begin(), world.jobs.end(),
                     [](const Job& job) { return job.attempts < kMostAttempts; });
}

}  // namespace

void Tally::count(const Asked& asked) {
  ++(asked.done ? done : refused)[asked.what];
  if (asked.what == Asked::What::end && asked.done) ends.insert(asked.end.outcome);
}

Walked Walks::walk(unsigned seed) {
  std::mt19937 random(seed);
  Mirror mirror;
  World world = first_world(kFaultsOfWalk);
  Walked out;
  for (int step = 0; step < kStepsOfWalk && has_rows_left(world); ++step) {
    const auto next = choose(world, random);
    if (!next) break;
    out.steps += describe(next->move) + "; ";
    tally_.moves.insert(next->move.text);
    for (const auto& [asked, after] : next->calls) {
      tally_.count(asked);
      out.differs = mirror.judge(asked, after);
      out.differed = asked.what;
      if (!out.differs.empty()) return out;
    }
    world = next->after;
  }
  return out;
}

// A move that asks the store for something is as likely as five that do not, and a fault is made in one of
// five steps: otherwise little but time would pass.
std::optional<Walks::Next> Walks::choose(const World& world, std::mt19937& random) {
  struct Chosen {
    unsigned seen = 0;  // the weight of all
    std::optional<Next> next;
  };
  std::map<Kind, Chosen> chosen;
  moves_.each(world, [&](const Move& move, const World& after, const char*) {
    auto calls = notes_.take();
    Chosen& of_kind = chosen[move.kind];
    const unsigned weight = calls.empty() ? 1 : 5;
    of_kind.seen += weight;
    if (random() % of_kind.seen < weight) of_kind.next = Next{move, after, std::move(calls)};
  });
  const bool fault = random() % 5 == 0;
  std::optional<Next>& first = chosen[fault ? Kind::fault : Kind::fair].next;
  return first ? first : chosen[fault ? Kind::fair : Kind::fault].next;
}

Walked Calls::walk() {
  for (int step = 0; step < kStepsOfWalk && has_rows_left(world_) && out_.differs.empty(); ++step) call();
  return out_;
}

void Calls::saw(const Asked& asked, const World& after) {
  if (!out_.differs.empty()) return;
  tally_.count(asked);
  out_.steps += describe(asked) + "; ";
  out_.differs = mirror_.judge(asked, after);
  out_.differed = asked.what;
}

void Calls::call() {
  const char* broken = nullptr;
  Store store(world_, bug_, broken, this);
  const int j = below(kJobs);
  const int m = below(kMachines);
  constexpr std::array kActions{core::JobAction::hold, core::JobAction::release, core::JobAction::cancel,
                                core::JobAction::requeue};
  switch (below(10)) {
    case 0:
    case 1:
    case 2:
      if (asks(machine(m).worker == WorkerState::active && job(j).stored == JobState::queued))
        (void)store.claim(j, m);
      break;
    case 3:
    case 4:
      end(store);
      break;
    case 5:
      ask_again(store);
      break;
    case 6:
      (void)store.act(j, one_of(kActions));
      break;
    case 7:
      if (below(4) == 0) store.pause(!world_.paused);
      break;
    default:
      ask_machine(store, m);
  }
}

void Calls::end(Store& store) {
  const Change end = some_end();
  const Lease lease = job(end.job).lease;
  if (!asks(lease.open)) return;
  (void)store.end(end);
  if (breaks_ && lease.open && !lease_of(world_, lease.machine)) store.gone(lease.machine);
}

// What the model may ask of a machine in its state.
void Calls::ask_machine(Store& store, int m) {
  constexpr std::array kMoves{core::WorkerMove::cordon_idle, core::WorkerMove::notice,
                              core::WorkerMove::terminate};
  const WorkerState state = machine(m).worker;
  if (state == WorkerState::gone) {
    if (asks(!world_.paused)) (void)store.launch(m);
  } else if (state == WorkerState::starting && below(4) != 0) {
    (void)store.enlist(m);
  } else if (below(2) == 0) {
    (void)store.move(m, one_of(kMoves));
  } else if (!lease_of(world_, m) && below(2) == 0) {
    store.gone(m);
  }
}

void Calls::ask_again(Store& store) {
  Change end = some_end();
  report(end);
  const Job& of = job(end.job);
  if (of.attempts > 0 && below(4) != 0) {  // one that has ended, and often as it ended
    end.attempt = static_cast<Byte>(1 + below(of.attempts));
    if (below(4) != 0) end.token = end.attempt;
    const Outcome ended = of.rows.at(end.attempt).outcome;
    const bool is_told = ended != Outcome::infra && ended != Outcome::returned;
    if (is_told && below(4) != 0) end.outcome = ended;
  }
  const bool is_open = of.lease.open && of.lease.attempt == end.attempt && of.lease.token == end.token;
  if (!is_open) (void)store.end_again(end);
}

// Of an attempt or a token: both begin at 1.
Byte Calls::some_number() {
  return static_cast<Byte>(1 + below(kRows - 1));
}

// Of the attempt that is open, or of any other there was or will be. As no attempt loses its number here, its
// token has the same.
Change Calls::some_end() {
  using End = Change::Kind;
  constexpr std::array kEnds{End::report, End::copy, End::expiry, End::loss, End::give_back};
  constexpr std::array kBroken{Outcome::infra, Outcome::interruption};
  Change end;
  end.job = static_cast<Byte>(below(kJobs));
  end.kind = one_of(kEnds);
  const Lease& lease = job(end.job).lease;
  if (lease.open) end.wanted = lease.wanted;
  end.attempt = lease.open && below(4) != 0 ? lease.attempt : some_number();
  end.token = end.attempt;
  end.outcome = end.kind == End::give_back ? Outcome::returned : one_of(kBroken);
  if (breaks_) {
    end.kind = End::loss;
    end.outcome = Outcome::infra;
  }
  if (end.kind == End::report || end.kind == End::copy) report(end);
  return end;
}

// As its worker tells it, at times with the token of another attempt.
void Calls::report(Change& end) {
  constexpr std::array kReported{Outcome::succeeded, Outcome::failure, Outcome::stopped,
                                 Outcome::interruption};
  if (end.kind != Change::Kind::copy) end.kind = Change::Kind::report;
  if (below(5) == 0) end.token = some_number();
  end.outcome = one_of(kReported);
}

}  // namespace drover::model
