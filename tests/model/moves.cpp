#include "moves.hpp"

#include <string_view>

#include "drover/core/job/ready_index.hpp"

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

Report report_of(const Run& run) {
  const Outcome outcome = run.phase == Phase::succeeded ? Outcome::succeeded
                          : run.phase == Phase::failed  ? Outcome::failure
                          : run.phase == Phase::stopped ? Outcome::stopped
                                                        : Outcome::interruption;
  return Report{true, run.job, run.attempt, run.token, outcome};
}

// The heartbeat: renews what is fenced, and is told what to stop.
void heartbeat(World& world, int index) {
  Machine& machine = world.machines[static_cast<std::size_t>(index)];
  machine.quiet = 0;
  if (machine.noticed) {
    const auto told =
        core::decide_move({.state = machine.worker, .registered = true}, core::WorkerMove::notice);
    if (told.kind == core::MoveDecision::Kind::move) machine.worker = told.to;
  }
  if (machine.run.phase == Phase::none) return;
  Lease& lease = world.jobs[machine.run.job].lease;
  if (!lease.open || lease.attempt != machine.run.attempt || lease.token != machine.run.token) {
    if (machine.run.phase == Phase::running)
      machine.run = {};  // not ours any more: killed, and not spoken of
    return;
  }
  lease.age = 0;
  if (lease.wanted != JobState::running && machine.run.phase == Phase::running)
    machine.run.phase = Phase::stopped;
}

std::optional<int> best_ready(const World& world) {
  std::vector<core::ReadyKey> keys;
  for (int j = 0; j < kJobs; ++j) {
    if (world.jobs[static_cast<std::size_t>(j)].ready) keys.push_back({0, j});
  }
  if (keys.empty()) return std::nullopt;
  core::ReadyIndex index(kJobs);
  const std::vector<std::string> queues{"q"};
  index.refill(queues.front(), keys, true);
  return static_cast<int>(index.best(queues)->second.number);
}

}  // namespace

void receive(World& world, int machine, int job) {
  Machine& by = world.machines[static_cast<std::size_t>(machine)];
  const Lease& lease = world.jobs[static_cast<std::size_t>(job)].lease;
  by.quiet = 0;
  by.run = Run{Phase::running, static_cast<Byte>(job), lease.attempt, lease.token};
}

void speak(World& world, int machine) {
  const auto held = lease_of(world, machine);
  if (held && world.machines[static_cast<std::size_t>(machine)].run.phase == Phase::none) {
    receive(world, machine, *held);
    world.jobs[static_cast<std::size_t>(*held)].lease.age = 0;
  } else {
    heartbeat(world, machine);
  }
}

void Moves::each(const World& world, const Sink& sink) {
  At at(world, bug_, sink);
  for (int m = 0; m < kMachines; ++m) {
    if (at.machine(m).worker == WorkerState::gone) continue;
    worker_moves(at, m);
    report_moves(at, m);
    machine_moves(at, m);
  }
  daemon_moves(at);
  if (world.leading) {
    for (int m = 0; m < kMachines; ++m) commit_moves(at, m);
    launch_moves(at);
    time_moves(at);
    expiry_moves(at);
    planner_moves(at);
    user_moves(at);
  }
}

void Moves::worker_moves(At& at, int m) {
  const Machine& machine = at.machine(m);
  if (!at.acts(m)) return;
  const bool leading = at.world.leading;
  if (leading && machine.worker == WorkerState::starting) {
    at.move({Kind::fair, "worker % registers", m}, [m](World&, Store& store) { store.enlist(m); });
    return;
  }
  const auto held = lease_of(at.world, m);
  const bool free =
      machine.run.phase == Phase::none && !held && machine.staged == kNobody && !machine.noticed;
  if (leading && free && machine.worker == WorkerState::active && !at.world.paused) {
    if (const auto best = best_ready(at.world)) {
      at.move({Kind::fair, "worker % asks, job # is chosen", m, *best}, [&](World& after, Store&) {
        after.jobs[static_cast<std::size_t>(*best)].ready = false;
        after.machines[static_cast<std::size_t>(m)].staged = static_cast<Byte>(*best);
        after.machines[static_cast<std::size_t>(m)].quiet = 0;
      });
    }
  }
  if (leading) {
    const bool repeats = held && machine.run.phase == Phase::none;
    at.move({Kind::fair, repeats ? "worker % repeats its claim of job #" : "worker % sends a heartbeat", m,
             held.value_or(0)},
            [&](World& after, Store&) { speak(after, m); });
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
  if (!at.world.leading || !at.acts(m) || run.phase == Phase::none || run.phase == Phase::running) return;
  const Report report = report_of(run);
  const auto arrives = [&](Kind kind, const char* text, bool answered, bool lingers) {
    at.move({kind, text, m, run.job}, [&](World& after, Store& store) {
      Machine& by = after.machines[static_cast<std::size_t>(m)];
      by.quiet = 0;
      store.end(report);
      if (answered) by.run = {};
      if (lingers) after.late = report;
    });
  };
  arrives(Kind::fair, "worker % reports job #", true, false);
  arrives(Kind::fault, "worker % reports job #, the answer is lost", false, false);
  if (!at.world.late.there) arrives(Kind::fault, "worker % reports job #, a copy lingers", true, true);
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
