#include "moves.hpp"

#include <string_view>

#include "at.hpp"

namespace drover::model {

using core::JobState;
using core::Outcome;
using core::WorkerState;

std::string describe(const Move& move) {
  std::string out;
  for (const char ch : std::string_view(move.text)) {
    if (ch == '%') {
      out += move.machine == 0 ? 'a' : 'b';
    } else if (ch == '#') {
      out += std::to_string(move.job + 1);
    } else {
      out += ch;
    }
  }
  if (move.asking) out += ", workers ask";
  return out;
}

World first_world(int faults) {
  World world;
  world.faults = static_cast<Byte>(faults);
  return world;
}

namespace {

void stop_process(Machine& machine) {
  machine.process = Process::dead;
  machine.run = {};
}
void end_instance(Machine& machine, Instance how) {
  machine.instance = how;
  machine.noticed = false;
  stop_process(machine);
}

Change report_of(const Run& run, int machine) {
  Change out;
  out.kind = Change::Kind::report;
  out.job = run.job;
  out.machine = static_cast<Byte>(machine);
  out.attempt = run.attempt;
  out.token = run.token;
  out.outcome = run.phase == Phase::succeeded ? Outcome::succeeded
                : run.phase == Phase::failed  ? Outcome::failure
                : run.phase == Phase::stopped ? Outcome::stopped
                                              : Outcome::interruption;
  return out;
}

}  // namespace

void Moves::each(const World& world, const Sink& sink) {
  At at(world, former_, bug_, witness_, sink);
  for (int m = 0; m < kMachines; ++m) {
    if (at.machine(m).worker == WorkerState::gone) continue;
    // What a machine does that has nothing to do with the batch in flight leads to the same after its
    // outcome.
    if (at.flying && !is_concerned(world, m)) continue;
    worker_moves(at, m);
    if (world.leading) report_moves(at, m);
    machine_moves(at, m);
  }
  daemon_moves(at);
  if (!world.leading) return;
  if (at.flying) {
    flight_moves(at);
  } else {
    asking_moves(at);
    decided_moves(at);
    planner_moves(at);
  }
  time_moves(at);
  lease_moves(at);
  user_moves(at);
}

void Moves::worker_moves(At& at, int m) {
  const Machine& machine = at.machine(m);
  if (!at.acts(m)) return;
  if (at.world.leading && machine.worker == WorkerState::starting) {
    if (!at.flying) {
      at.move({Kind::fair, "worker % registers", m}, [m](World&, Engine&, Store& store) { store.enlist(m); });
    }
    return;
  }
  if (at.world.leading) {
    const auto held = lease_of(at.world, m);
    const bool repeats = held && machine.run.phase == Phase::none;
    at.move({Kind::fair, repeats ? "worker % repeats its claim of job #" : "worker % sends a heartbeat", m,
             held.value_or(0)},
            [m](World&, Engine& engine, Store&) { engine.hears(m); });
  }
  if (machine.run.phase == Phase::running) {
    const int job = machine.run.job;
    const auto becomes = [&](Kind kind, const char* text, Phase phase) {
      at.move_machine({kind, text, m, job}, [&](Machine& by) { by.run.phase = phase; });
    };
    becomes(Kind::fair, "job # ends well on worker %", Phase::succeeded);
    becomes(Kind::fault, "job # fails on worker %", Phase::failed);
    if (machine.noticed) becomes(Kind::fair, "worker % stops job # for its notice", Phase::released);
  }
}

// A report is repeated until it is answered; a copy of it may arrive much later.
void Moves::report_moves(At& at, int m) {
  const Run& run = at.machine(m).run;
  if (!at.acts(m) || run.phase == Phase::none || run.phase == Phase::running) return;
  if (is_under_way(at.world, run.job, Change::Kind::report)) return;
  const Change report = report_of(run, m);
  const auto heard = [m](World&, Engine& engine) { engine.hears_report(m); };
  at.comes({Kind::fair, "worker % reports job #", m, run.job}, report, heard);
  if (at.world.late.there) return;
  at.comes({Kind::fault, "worker % reports job #, a copy lingers", m, run.job}, report,
           [&](World& after, Engine& engine) {
             heard(after, engine);
             after.late = Report{true, report.job, report.attempt, report.token, report.outcome};
           });
}

void Moves::machine_moves(At& at, int m) {
  const Machine& machine = at.machine(m);
  if (machine.instance != Instance::running) return;
  if (machine.process != Process::dead) {
    at.move_machine({Kind::fault, "worker % crashes", m}, stop_process);
    const bool asleep = machine.process == Process::asleep;
    at.move_machine(
        {asleep ? Kind::fair : Kind::fault, asleep ? "worker % wakes" : "worker % falls asleep", m},
        [&](Machine& by) { by.process = asleep ? Process::up : Process::asleep; });
  }
  if (!machine.noticed) {
    at.move_machine({Kind::fault, "machine % gets an interruption notice", m},
                    [](Machine& by) { by.noticed = true; });
  }
  const Kind taking = machine.noticed ? Kind::fair : Kind::fault;
  at.move_machine({taking, "machine % is taken back", m},
                  [](Machine& by) { end_instance(by, Instance::taken); });
  at.move_machine({Kind::fault, "machine % is shut down by a user", m},
                  [](Machine& by) { end_instance(by, Instance::shut); });
  at.move_machine({Kind::fault, "machine % vanishes", m},
                  [](Machine& by) { end_instance(by, Instance::vanished); });
  if (machine.worker == WorkerState::terminating) {
    at.move_machine({Kind::fair, "machine % is terminated", m},
                    [](Machine& by) { end_instance(by, Instance::shut); });
  }
}

}  // namespace drover::model
