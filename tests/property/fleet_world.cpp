#include "fleet_world.hpp"

#include <algorithm>

namespace drover::core::testing {
namespace {

const char* const kReasons[] = {"", "Server.SpotInstanceTermination", "Client.InstanceInitiatedShutdown",
                                "Client.UserInitiatedShutdown", "Server.InternalError"};

}  // namespace

World::World(unsigned seed) : random_(seed) {
  seen.now = WallTime{Seconds{1'700'000'000}};
  seen.steady = SteadyTime{Seconds{100'000}};
  seen.leading = true;
  seen.deployment = kOurs;
  seen.listing.emplace();
  make_weather();
  make_pools();
  make_workers();
  make_launches();
  make_strangers();
}

void World::make_weather() {
  seen.paused = chance(10);
  seen.tunables.max_launches_per_minute = chance(20) ? below(5) : 60;
  seen.tunables.missing_listings = 1 + below(3);
  seen.tunables.missing_s = below(2) * 60;
  seen.tunables.freeze_min = below(5);
}

void World::make_pools() {
  const int count = below(4);
  for (int i = 0; i < count; ++i) {
    PoolView pool;
    pool.spec.name = "pool-" + std::to_string(i);
    pool.spec.provider = chance(80) ? Provider::ec2 : (chance(50) ? Provider::none : Provider::asg);
    if (chance(50)) pool.spec.queues = {"shared", pool.spec.name};
    pool.spec.max = below(12);
    pool.spec.min = below(4);
    pool.spec.slots = 1 + below(4);
    pool.spec.instances_per_job = chance(70) ? 1.0 : 0.1 * (1 + below(20));
    pool.spec.max_increase = below(6);
    pool.spec.idle_timeout = Seconds{below(3) * 100};
    pool.spec.registration_timeout = Seconds{100 + below(3) * 100};
    pool.spec.instance_types = {"m5.large", "c5.large"};
    if (chance(50)) pool.spec.subnets = {"subnet-a", "subnet-b"};
    if (chance(10)) pool.blocked_reason = "blocked";
    seen.ready[pool.spec.name] = chance(60) ? below(40) : 0;
    if (chance(30)) seen.suspects[pool.spec.name] = below(static_cast<int>(seen.ready[pool.spec.name]) + 1);
    for (int refusals = below(6); refusals > 0; --refusals) {
      const Offering offering{pool.spec.name, chance(50) ? "m5.large" : "c5.large",
                              chance(50) ? "subnet-a" : "subnet-b", pool.spec.market};
      const auto scope = static_cast<RefusalScope>(chance(80) ? 0 : below(6));
      seen.health.refused({scope, chance(50)}, offering, seen.steady - Seconds{below(60)},
                          {CloudErrorClass::pool, "None", "none"});
    }
    seen.pools.push_back(pool);
  }
  seen.ready["shared"] = below(20);
  seen.ready["nobody's"] = below(20);
}

std::string World::next_instance() {
  std::string digits = std::to_string(next_instance_++);
  return "i-" + std::string(8 - digits.size(), '0') + digits;
}

Instance& World::list(const std::string& id, InstanceState state) {
  Instance instance;
  instance.id = id;
  instance.state = state;
  if (is_gone(state)) instance.state_reason = kReasons[below(5)];
  instance.tags = {{std::string(kDeploymentTag), kOurs}};
  if (chance(80)) instance.launched_at = seen.now - Seconds{below(600)};
  seen.listing->push_back(instance);
  return seen.listing->back();
}

FleetWorker& World::add_worker(const std::string& instance, const std::string& pool, WorkerState state) {
  FleetWorker worker;
  worker.id = WorkerId{next_worker_++};
  worker.instance_id = instance;
  worker.pool = pool;
  worker.state = state;
  seen.workers.push_back(worker);
  return seen.workers.back();
}

void World::make_workers() {
  const int count = below(25);
  for (int i = 0; i < count; ++i) {
    const std::string pool = "pool-" + std::to_string(below(4));  // some of a pool that is not there
    const auto state = static_cast<WorkerState>(below(4));
    FleetWorker& worker =
        add_worker(chance(95) ? next_instance() : "i-0abc-" + std::to_string(i), pool, state);
    worker.registered = state != WorkerState::starting && (state == WorkerState::active || chance(80));
    if (worker.registered && chance(50)) worker.leases = 1 + below(3);
    if (worker.leases == 1) worker.alone = chance(20);
    if (worker.state == WorkerState::draining && chance(30))
      worker.notice_until = seen.now + Seconds{below(600) - 450};
    if (worker.registered && worker.leases == 0) worker.idle_for = Seconds{below(400)};
    if (worker.registered && chance(80)) worker.asked_ago = Seconds{chance(70) ? below(25) : below(400)};
    if (worker.registered && chance(80)) worker.silent_for = Seconds{chance(80) ? below(30) : below(10) * 40};
    worker.known_before = chance(90);
    if (chance(85)) {
      seen.memory.first_seen[worker.id] = seen.steady - Seconds{below(1000)};
      seen.memory.listed.insert(worker.id);
    }
    if (chance(88)) {
      list(worker.instance_id, chance(85) ? InstanceState::running : static_cast<InstanceState>(below(7)));
    } else if (chance(50)) {
      seen.memory.absent[worker.id] = Absence{1 + below(4), seen.steady - Seconds{below(120)}};
    }
  }
}

void World::make_launches() {
  const int count = below(5);
  for (int i = 0; i < count; ++i) {
    FleetLaunch launch;
    launch.id = LaunchId{next_launch_++};
    launch.pool = "pool-" + std::to_string(below(4));
    launch.client_token = "token-" + std::to_string(launch.id.value);
    launch.count = 1 + below(4);
    launch.instances = below(launch.count + 1);
    launch.state = chance(70) ? LaunchState::intended : LaunchState::fulfilled;
    if (chance(30)) {
      seen.outcomes.tries[launch.id] = LaunchTry{1 + below(4), seen.steady + Seconds{below(20) - 10}};
    }
    if (chance(30)) list(next_instance(), InstanceState::pending).client_token = launch.client_token;
    seen.launches.push_back(launch);
  }
}

// Machines that no worker stands for: ours, others', stopped ones, unknown launches'.
void World::make_strangers() {
  for (int i = below(6); i > 0; --i) {
    Instance& instance = list(next_instance(), static_cast<InstanceState>(below(7)));
    if (chance(30)) instance.client_token = "token-" + std::to_string(500 + i);
    if (chance(30)) instance.tags = {{std::string(kDeploymentTag), "another"}};
    if (chance(30)) instance.tags.clear();
  }
  // Read page by page, a listing may show an instance twice.
  for (std::size_t i = 0, n = seen.listing->size(); i < n; ++i) {
    if (!chance(5)) continue;
    Instance twice = (*seen.listing)[i];
    twice.state = static_cast<InstanceState>(below(7));
    twice.state_reason = kReasons[below(5)];
    seen.listing->push_back(twice);
  }
}

const FleetWorker* World::worker(WorkerId id) const {
  return const_cast<World*>(this)->find(id);
}

FleetWorker* World::find(WorkerId id) {
  const auto it =
      std::find_if(seen.workers.begin(), seen.workers.end(), [&](const auto& w) { return w.id == id; });
  return it == seen.workers.end() ? nullptr : &*it;
}

const Instance* World::instance(const std::string& id) const {
  const auto it =
      std::find_if(seen.listing->begin(), seen.listing->end(), [&](const auto& i) { return i.id == id; });
  return it == seen.listing->end() ? nullptr : &*it;
}

void World::apply(const Plan& plan) {
  seen.memory = plan.memory;
  seen.looked_up.clear();
  for (const Action& action : plan.actions) {
    std::visit([this](const auto& what) { carry_out(what); }, action);
  }
}

void World::remove(WorkerId id) {
  std::erase_if(seen.workers, [&](const FleetWorker& worker) { return worker.id == id; });
}

void World::end_instance(const std::string& id) {
  for (Instance& instance : *seen.listing) {
    if (instance.id == id) instance.state = InstanceState::shutting_down;
  }
}

void World::carry_out(const AdoptInstances& action) {
  for (FleetLaunch& launch : seen.launches) {
    if (launch.id != action.launch) continue;
    launch.state = LaunchState::fulfilled;
    launch.instances += static_cast<int>(action.instances.size());
    for (const Instance& instance : action.instances)
      add_worker(instance.id, launch.pool, WorkerState::starting);
  }
}

void World::carry_out(const CloseLaunch& action) {
  std::erase_if(seen.launches, [&](const FleetLaunch& launch) { return launch.id == action.launch; });
}

void World::carry_out(const Terminate& action) {
  if (FleetWorker* worker = find(action.worker)) worker->state = WorkerState::terminating;
  seen.outcomes.terminate_sent[action.instance_id] = seen.steady;
  end_instance(action.instance_id);
}

void World::carry_out(const CordonIdle& action) {
  FleetWorker* worker = find(action.worker);
  if (worker == nullptr || worker->state != WorkerState::active || worker->leases > 0) return;  // refused
  worker->state = WorkerState::terminating;
  end_instance(action.instance_id);
}

void World::carry_out(const CallLaunch& action) {
  for (FleetLaunch& launch : seen.launches) {
    if (launch.id != action.launch) continue;
    for (int i = launch.instances; i < launch.count; ++i) {
      Instance& instance = list(next_instance(), InstanceState::pending);
      instance.client_token = launch.client_token;
      add_worker(instance.id, launch.pool, WorkerState::starting);
    }
    launch.instances = launch.count;
    launch.state = LaunchState::fulfilled;
  }
}

void World::carry_out(const InsertLaunch& action) {
  FleetLaunch launch;
  launch.id = LaunchId{next_launch_++};
  launch.pool = action.pool;
  launch.client_token = "token-" + std::to_string(launch.id.value);
  launch.count = action.count;
  seen.launches.push_back(launch);
  seen.outcomes.launched[launch.id] = LaunchCharge{seen.steady, launch.count};
  carry_out(CallLaunch{launch.id, {}});
}

void World::carry_out(const BlockPool& action) {
  for (PoolView& pool : seen.pools) {
    if (pool.spec.name != action.pool) continue;
    pool.blocked_reason = action.reason;
    ++pool.version;
  }
}

void World::carry_out(const LookUp& action) {
  for (const std::string& id : action.instance_ids) {
    const Instance* found = instance(id);
    seen.looked_up[id] = found == nullptr ? std::nullopt : std::optional<Instance>(*found);
  }
}

}  // namespace drover::core::testing
