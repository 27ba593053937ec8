#include "planner.hpp"

#include <string>

#include "store.hpp"

namespace drover::model {
namespace {

using core::WorkerState;

constexpr SteadyTime kNow{Seconds{1'000'000}};
constexpr SteadyTime kLongAgo{Seconds{900'000}};
constexpr Seconds kLong{10'000};  // longer than any time-out of the planner

std::string instance_id(int machine) {
  return "i-" + std::to_string(machine + 1);
}

int ready_jobs(const World& world) {
  int count = 0;
  for (const Job& job : world.jobs) count += job.stored == core::JobState::queued && !job.lease.open ? 1 : 0;
  return count;
}

// All that the planner is shown.
std::uint32_t key_of(const World& world, bool long_idle) {
  std::uint32_t key =
      (world.paused ? 1U : 0U) | (long_idle ? 2U : 0U) | static_cast<unsigned>(ready_jobs(world)) << 2U;
  for (int m = 0; m < kMachines; ++m) {
    const Machine& machine = world.machines[static_cast<std::size_t>(m)];
    key = key << 9U | static_cast<unsigned>(machine.instance) << 6U |
          static_cast<unsigned>(machine.worker) << 3U | (lease_of(world, m) ? 4U : 0U) |
          (machine.quiet == kTermOver ? 2U : 0U) | (machine.process == Process::dead ? 1U : 0U);
  }
  return key;
}

void show(core::Observation& seen, const World& world, int index, bool long_idle) {
  const Machine& machine = world.machines[static_cast<std::size_t>(index)];
  if (machine.worker == WorkerState::gone) return;
  core::FleetWorker worker;
  worker.id = WorkerId{index + 1};
  worker.instance_id = instance_id(index);
  worker.pool = "pool";
  worker.state = machine.worker;
  worker.registered = machine.worker != WorkerState::starting;
  worker.leases = lease_of(world, index) ? 1 : 0;
  if (worker.registered) worker.silent_for = machine.quiet == kTermOver ? Millis{kLong} : Millis{0};
  const bool idle = long_idle || machine.worker == WorkerState::draining;
  if (worker.registered && worker.leases == 0) worker.idle_for = idle ? Millis{kLong} : Millis{0};
  // A machine whose worker is still to come is young, unless it will never come.
  seen.memory.first_seen[worker.id] =
      !worker.registered && machine.process != Process::dead ? kNow : kLongAgo;
  seen.memory.listed.insert(worker.id);
  if (machine.instance == Instance::vanished) {
    seen.memory.absent[worker.id] = core::Absence{100, kLongAgo};
    seen.looked_up[worker.instance_id] = std::nullopt;
  } else {
    core::Instance listed;
    listed.id = worker.instance_id;
    listed.state = machine.instance == Instance::running ? core::InstanceState::running
                                                         : core::InstanceState::terminated;
    if (machine.instance == Instance::taken) listed.state_reason = "Server.SpotInstanceTermination";
    if (machine.instance == Instance::shut) listed.state_reason = "Client.UserInitiatedShutdown";
    seen.listing->push_back(std::move(listed));
  }
  seen.workers.push_back(std::move(worker));
}

core::Observation observe(const World& world, bool long_idle) {
  core::Observation seen;
  seen.now = WallTime{Seconds{1'000'000}};
  seen.steady = kNow;
  seen.leading = true;
  seen.paused = world.paused;
  seen.deployment = "model";
  seen.listing.emplace();
  core::PoolView pool;
  pool.spec.name = "pool";
  pool.spec.max = kMachines;
  seen.pools.push_back(std::move(pool));
  seen.ready["pool"] = ready_jobs(world);
  for (int m = 0; m < kMachines; ++m) show(seen, world, m, long_idle);
  return seen;
}

struct Translate {
  std::vector<Intent>& out;
  static int machine(WorkerId id) { return static_cast<int>(id.value) - 1; }
  void operator()(const core::LoseWorker& action) const {
    out.push_back({Intent::Kind::lose, machine(action.worker), action.outcome});
  }
  void operator()(const core::MarkGone& action) const {
    out.push_back({Intent::Kind::lose, machine(action.worker), core::Outcome::interruption});
  }
  void operator()(const core::CordonIdle& action) const {
    out.push_back({Intent::Kind::cordon, machine(action.worker), {}});
  }
  void operator()(const core::Terminate& action) const {
    if (action.mark) out.push_back({Intent::Kind::terminate, machine(action.worker), {}});
  }
  void operator()(const core::InsertLaunch&) const { out.push_back({Intent::Kind::launch, 0, {}}); }
  // Nothing in this world gives rise to these: no intent waits for its answer, no machine is a stranger.
  void operator()(const core::AdoptInstances&) const {}
  void operator()(const core::CloseLaunch&) const {}
  void operator()(const core::CallLaunch&) const {}
  void operator()(const core::BlockPool&) const {}
  void operator()(const core::LookUp&) const {}
};

}  // namespace

const std::vector<Intent>& Planner::plan(const World& world, bool long_idle) {
  const auto [answer, is_new] = answers_.try_emplace(key_of(world, long_idle));
  if (is_new) {
    for (const core::Action& action : core::plan(observe(world, long_idle)).actions) {
      std::visit(Translate{answer->second}, action);
    }
  }
  return answer->second;
}

}  // namespace drover::model
