#include <algorithm>

#include "at.hpp"

// What the daemon does, and what its users do.
namespace drover::model {

using core::JobAction;
using core::JobState;
using core::WorkerState;

void Moves::daemon_moves(At& at) {
  if (at.world.leading) {
    at.move({Kind::fault, "the daemon dies"}, [](World& after, Store&) {
      after.leading = false;
      after.launch = false;
      for (Machine& machine : after.machines) {
        machine.staged = kNobody;
        machine.cordon = false;
        machine.quiet = 0;
      }
      for (Job& job : after.jobs) {
        job.ready = false;
        job.lease.age = 0;
      }
    });
  } else {
    at.move({Kind::fair, "another daemon takes over"}, [&](World& after, Store&) {
      after.leading = true;
      for (Job& job : after.jobs) {
        job.ready = job.stored == JobState::queued && !job.lease.open;
        if (job.lease.open && bug_ == Bug::takeover_gives_no_term) job.lease.age = kTermOver;
      }
    });
    return;
  }
  if (at.world.late.there) {
    at.move({Kind::fair, "the copy about job # arrives", 0, at.world.late.job},
            [&](World& after, Store& store) {
              after.late = {};
              store.end(at.world.late);
            });
  }
}

// What was decided is committed.
void Moves::launch_moves(At& at) {
  if (!at.world.launch) return;
  int place = 0;
  while (at.machine(place).worker != WorkerState::gone) ++place;
  at.move({Kind::fair, "the launch of machine % is committed", place}, [place](World& after, Store& store) {
    after.launch = false;
    store.launch(place);
  });
}

void Moves::commit_moves(At& at, int m) {
  const Machine& machine = at.machine(m);
  if (machine.staged != kNobody) {
    const int job = machine.staged;
    const auto commit = [&](bool answered) {
      return [&at, m, job, answered](World& after, Store& store) {
        after.machines[static_cast<std::size_t>(m)].staged = kNobody;
        store.claim(job, m);
        if (answered && at.acts(m) && lease_of(after, m) == job) receive(after, m, job);
      };
    };
    at.move({Kind::fair, "the claim of worker % for job # is committed", m, job}, commit(true));
    if (at.acts(m)) {
      at.move({Kind::fault, "the claim of worker % for job # is committed, the answer is lost", m, job},
              commit(false));
    }
  }
  if (machine.cordon) {
    at.move({Kind::fair, "the cordon of worker % is committed", m}, [m](World& after, Store& store) {
      after.machines[static_cast<std::size_t>(m)].cordon = false;
      store.move(m, core::WorkerMove::cordon_idle);
    });
  }
}

// Half a lease's term. A live worker is heard in it, and repeats a claim that was not answered.
void Moves::time_moves(At& at) {
  at.move({Kind::fair, "half a term passes"}, [&](World& after, Store&) {
    for (Machine& machine : after.machines) {
      const bool registered = machine.worker != WorkerState::gone && machine.worker != WorkerState::starting;
      if (registered) machine.quiet = std::min<Byte>(machine.quiet + 1, kTermOver);
    }
    for (Job& job : after.jobs) {
      if (job.lease.open) job.lease.age = std::min<Byte>(job.lease.age + 1, kTermOver);
    }
    for (int m = 0; m < kMachines; ++m) {
      if (at.acts(m) && at.machine(m).worker != WorkerState::starting) speak(after, m);
    }
  });
}

void Moves::expiry_moves(At& at) {
  for (int j = 0; j < kJobs; ++j) {
    const Lease& lease = at.job(j).lease;
    if (!lease.open || lease.age < kTermOver) continue;
    at.move({Kind::fair, "the lease of worker % on job # expires", lease.machine, j},
            [j](World&, Store& store) { store.expire(j); });
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
          at.move({kind, "worker % is found lost", m},
                  [&](World&, Store& store) { store.lose(m, intent.outcome); });
          break;
        case Intent::Kind::cordon:
          at.move_machine({kind, "a cordon of worker % is decided", m},
                          [](Machine& of) { of.cordon = true; });
          break;
        case Intent::Kind::terminate:
          at.move({kind, "worker % is to be terminated", m},
                  [m](World&, Store& store) { store.move(m, core::WorkerMove::terminate); });
          break;
        case Intent::Kind::launch:
          decide_launch(at, kind, loses);
          break;
      }
    }
  }
}

void Moves::decide_launch(At& at, Kind kind, bool after_a_loss) {
  const bool full = std::none_of(at.world.machines.begin(), at.world.machines.end(),
                                 [](const Machine& machine) { return machine.worker == WorkerState::gone; });
  if (full && after_a_loss) return;  // the plan's loss comes first, and makes the place
  at.move({kind, "a launch is decided"}, [&](World& after, Store& store) {
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
                            {JobAction::requeue, kRequeues}}) {
    for (int j = 0; j < kJobs; ++j) {
      at.move({Kind::fault, one.text, 0, j},
              [&](World&, Store& store) { return store.change(j, one.action); });
    }
  }
  if (at.world.paused) {
    at.move({Kind::fair, "a user resumes"}, [](World& after, Store&) { after.paused = false; });
  } else {
    at.move({Kind::fault, "a user pauses"}, [](World& after, Store&) { after.paused = true; });
  }
}

}  // namespace drover::model
