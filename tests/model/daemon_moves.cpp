#include <algorithm>

#include "at.hpp"

// What the daemon does, and what its users do.
namespace drover::model {

using core::JobAction;
using core::JobState;
using core::WorkerState;

namespace {

constexpr unsigned kAll = (1U << kMachines) - 1;  // of the machines

}  // namespace

void Moves::daemon_moves(At& at) {
  if (!at.world.leading) {
    at.move({Kind::fair, "another daemon takes over"},
            [](World&, Engine& engine, Store&) { engine.takes_over(); });
    return;
  }
  at.move({Kind::fault, "the daemon dies"}, [](World&, Engine& engine, Store&) { engine.died(false, 0); });
  const Report& late = at.world.late;
  if (late.there && !at.flying) {
    Change copy;
    copy.kind = Change::Kind::copy;
    copy.job = late.job;
    copy.attempt = late.attempt;
    copy.token = late.token;
    copy.outcome = late.outcome;
    at.comes({Kind::fair, "the copy about job # arrives", 0, late.job}, copy,
             [](World& after, Engine&) { after.late = {}; });
  }
}

// What becomes of the batch in flight, and of the answers to it.
void Moves::flight_moves(At& at) {
  const bool more = at.world.waiting.front().kind != Change::Kind::none;
  const auto outcome = [&](const Move& what, unsigned reached) {
    const auto tell = [reached](World&, Engine& engine, const std::vector<int>& asking) {
      engine.committed(reached, asking);
    };
    if (more) {
      at.round(what, tell);
    } else {
      at.move(what, [&](World& after, Engine& engine, Store&) { tell(after, engine, {}); });
    }
  };
  outcome({Kind::fair, "the batch is committed"}, kAll);
  unsigned waiting = 0;  // for an answer
  for (const Job& job : at.world.jobs) {
    const Change& change = job.flying;
    const bool answered = change.kind == Change::Kind::claim || change.kind == Change::Kind::report;
    if (answered && at.acts(change.machine)) waiting |= 1U << change.machine;
  }
  for (int m = 0; m < kMachines; ++m) {
    if ((waiting >> m & 1U) == 0) continue;
    outcome({Kind::fault, "the batch is committed, the answer to worker % is lost", m}, kAll & ~(1U << m));
  }
  at.move({Kind::fault, "the store has no room for the batch"},
          [](World&, Engine& engine, Store&) { engine.refused(); });
  at.move({Kind::fault, "the batch is committed, and the daemon dies before it knows"},
          [](World&, Engine& engine, Store&) { engine.died(true, 0); });
  if (waiting == 0) return;
  // Its session is lost, what became of the batch is found out, and answered.
  at.move({Kind::fault, "the batch is committed in doubt, and the term ends"},
          [](World&, Engine& engine, Store&) { engine.died(true, kAll); });
}

// Workers ask for a job, or memory for keys.
void Moves::asking_moves(At& at) {
  const auto form = [&](const Move& what, const std::vector<int>& asking) {
    at.move(what, [&](World&, Engine& engine, Store&) { engine.form(asking); });
  };
  if (at.world.reading == Reading::wanted) {
    form({Kind::fair, "the ready keys are asked for"}, {});
  } else {
    at.move({Kind::fault, "the ready keys are to be read anew"},
            [](World& after, Engine&, Store&) { after.reading = Reading::wanted; });
  }
  if (!at.may_match()) return;
  for (const int m : at.free) {
    const std::vector<std::string> queues{kQueue};
    const int job = static_cast<int>(index_of(at.world.ready).best(queues)->second.number);
    form({Kind::fair, "worker % asks, job # is chosen", m, job}, {m});
  }
  if (at.free.size() > 1) form({Kind::fair, "both workers ask"}, at.free);
}

// What the planner decided reaches the engine.
void Moves::decided_moves(At& at) {
  if (at.world.launch) {
    int place = 0;
    while (at.machine(place).worker != WorkerState::gone) ++place;
    at.move({Kind::fair, "the launch of machine % is committed", place},
            [place](World& after, Engine&, Store& store) {
              after.launch = false;
              store.launch(place);
            });
  }
}

// Half a lease's term. A live worker is heard in it, and repeats a claim that was not answered.
void Moves::time_moves(At& at) {
  at.move({Kind::fair, "half a term passes"}, [&](World& after, Engine& engine, Store&) {
    for (Machine& machine : after.machines) {
      const bool registered = machine.worker != WorkerState::gone && machine.worker != WorkerState::starting;
      if (registered) machine.quiet = std::min<Byte>(machine.quiet + 1, kTermOver);
    }
    for (Job& job : after.jobs) {
      if (job.lease.open) job.lease.age = std::min<Byte>(job.lease.age + 1, kTermOver);
    }
    for (int m = 0; m < kMachines; ++m) {
      if (at.acts(m) && at.machine(m).worker != WorkerState::starting) engine.hears(m);
    }
  });
}

// What the engine does of itself about a lease.
void Moves::lease_moves(At& at) {
  for (int j = 0; j < kJobs; ++j) {
    const Lease& lease = at.job(j).lease;
    if (!lease.open || end_is_sent(at.world, j)) continue;
    Change end;
    end.job = static_cast<Byte>(j);
    end.attempt = lease.attempt;
    end.token = lease.token;
    if (is_over(lease) && !is_under_way(at.world, j, Change::Kind::expiry)) {
      end.kind = Change::Kind::expiry;  // waits in any case: the batch in flight was full
      at.comes({Kind::fair, "the lease of worker % on job # expires", lease.machine, j}, end, true);
    }
    if (lease.undelivered && !is_under_way(at.world, j, Change::Kind::give_back)) {
      end.kind = Change::Kind::give_back;
      at.comes({Kind::fair, "the answer about job # is found undelivered", 0, j}, end);
    }
  }
}

void Moves::planner_moves(At& at) {
  if (at.world.launch) return;  // one plan after the other
  for (const bool long_idle : {false, true}) {
    const std::vector<Intent>& intents = planner_.plan(at.world, long_idle);
    const bool loses = std::any_of(intents.begin(), intents.end(),
                                   [](const Intent& intent) { return intent.kind == Intent::Kind::lose; });
    for (const Intent& intent : intents) {
      const int m = intent.machine;
      // What silence or the cloud's listing gives rise to comes by itself; a long time without work does not.
      const Kind kind = long_idle ? Kind::fault : Kind::fair;
      switch (intent.kind) {
        case Intent::Kind::lose:
          lose(at, kind, intent);
          break;
        case Intent::Kind::cordon:
          cordon(at, kind, m);
          break;
        case Intent::Kind::terminate:
          at.move({kind, "worker % is to be terminated", m},
                  [m](World&, Engine&, Store& store) { store.move(m, core::WorkerMove::terminate); });
          break;
        case Intent::Kind::launch:
          decide_launch(at, kind, loses);
          break;
      }
    }
  }
}

// Decided for an idle worker, it may be in one batch with a claim, which goes first in the transaction.
void Moves::cordon(At& at, Kind kind, int m) {
  at.move({kind, "a cordon of worker % is committed", m},
          [m](World&, Engine&, Store& store) { store.move(m, core::WorkerMove::cordon_idle); });
  if (!at.may_match() || std::find(at.free.begin(), at.free.end(), m) == at.free.end()) return;
  at.move({kind, "worker % asks as it is to be cordoned", m}, [&](World& after, Engine& engine, Store&) {
    after.machines[static_cast<std::size_t>(m)].cordon = true;
    engine.form(at.free);
  });
}

// Its attempt ends, and then it is gone.
void Moves::lose(At& at, Kind kind, const Intent& intent) {
  const int m = intent.machine;
  const Move what{kind, "worker % is found lost", m};
  const auto held = lease_of(at.world, m);
  if (!held) {
    at.move(what, [m](World&, Engine&, Store& store) { store.gone(m); });
    return;
  }
  const Lease& lease = at.job(*held).lease;
  Change end;
  end.kind = Change::Kind::loss;
  end.job = static_cast<Byte>(*held);
  end.attempt = lease.attempt;
  end.token = lease.token;
  end.outcome = intent.outcome;
  at.comes(what, end);
}

void Moves::decide_launch(At& at, Kind kind, bool after_a_loss) {
  const bool full = std::none_of(at.world.machines.begin(), at.world.machines.end(),
                                 [](const Machine& machine) { return machine.worker == WorkerState::gone; });
  if (full && after_a_loss) return;  // the plan's loss comes first, and makes the place
  at.move({kind, "a launch is decided"}, [&](World& after, Engine&, Store& store) {
    if (full) store.broke(kWithinMax);
    after.launch = true;
  });
}

void Moves::user_moves(At& at) {
  struct Action {
    JobAction action;
    const char* text;
  };
  for (const Action& one : {Action{JobAction::hold, "a user holds job #"},
                            {JobAction::release, "a user releases job #"},
                            {JobAction::cancel, "a user cancels job #"},
                            {JobAction::requeue, "a user requeues job #"}}) {
    for (int j = 0; j < kJobs; ++j) {
      const Job& job = at.job(j);
      Change act;
      act.kind = Change::Kind::act;
      act.job = static_cast<Byte>(j);
      act.action = one.action;
      const auto met = core::decide_action({job.stored, job.lease.open, job.lease.wanted}, one.action).kind;
      const bool idle =
          met == core::ActionDecision::Kind::refuse || met == core::ActionDecision::Kind::nothing;
      // What would change nothing is asked for only where something under way may make it matter.
      if (idle && !is_under_way(at.world, j)) continue;
      at.comes({Kind::fault, one.text, 0, j}, act);
    }
  }
  if (at.flying) return;
  const Move pausing =
      at.world.paused ? Move{Kind::fair, "a user resumes"} : Move{Kind::fault, "a user pauses"};
  at.round(pausing, [](World& after, Engine& engine, const std::vector<int>& asking) {
    after.pausing = true;
    engine.form(asking);
  });
}

}  // namespace drover::model
