#include <algorithm>
#include <map>
#include <set>

#include "fleet_world.hpp"

// What no plan may do, said once more in the plainest way, without the planner's own helpers.
namespace drover::core::testing {
namespace {

class Judge {
 public:
  explicit Judge(const Observation& observation) : seen(observation) {}
  std::optional<std::string> judge(const Plan& plan);

 private:
  const FleetWorker* worker(WorkerId id) const {
    for (const auto& w : seen.workers) {
      if (w.id == id) return &w;
    }
    return nullptr;
  }
  const PoolView* pool(const std::string& name) const {
    for (const auto& p : seen.pools) {
      if (p.spec.name == name) return &p;
    }
    return nullptr;
  }
  std::vector<const Instance*> listings(const std::string& id) const {
    std::vector<const Instance*> out;
    for (const auto& instance : *seen.listing) {
      if (instance.id == id) out.push_back(&instance);
    }
    return out;
  }
  void fail(std::string what) {
    if (!broken_) broken_ = std::move(what);
  }
  void end_once(WorkerId id) {
    if (!ended_.insert(id).second) fail("ends worker " + std::to_string(id.value) + " twice");
  }

  void machine_must_be_gone(WorkerId id);
  void look(const LoseWorker& action) { machine_must_be_gone(action.worker); }
  void look(const MarkGone& action) {
    const FleetWorker* w = worker(action.worker);
    if (w == nullptr || w->leases > 0 || w->state != WorkerState::terminating)
      return fail("marks a live worker gone");
    if (const PoolView* p = pool(w->pool); p != nullptr && p->spec.provider == Provider::none) return;
    if (w->instance_id.find('-', 2) != std::string::npos || pool(w->pool) == nullptr) return;
    machine_must_be_gone(action.worker);
  }
  void look(const AdoptInstances& action);
  void look(const CloseLaunch&) {}
  void look(const Terminate& action);
  void look(const CordonIdle& action);
  void look(const CallLaunch&) {
    if (seen.paused) fail("calls the cloud while paused");
  }
  void look(const InsertLaunch& action);
  void look(const BlockPool&) {}
  void look(const LookUp&) {}
  void check_totals();

  const Observation& seen;
  std::optional<std::string> broken_;
  std::set<WorkerId> ended_;
  std::map<std::string, int> added_;    // by pool
  std::map<std::string, int> leaving_;  // workers lost, launches closed: by pool
  int launched_ = 0;

 public:
  void leave(const Plan& plan);
};

void Judge::machine_must_be_gone(WorkerId id) {
  const FleetWorker* w = worker(id);
  if (w == nullptr) return fail("loses an unknown worker");
  end_once(id);
  const auto listed = listings(w->instance_id);
  if (!listed.empty()) {
    if (std::none_of(listed.begin(), listed.end(), [](const Instance* i) { return is_gone(i->state); })) {
      fail("loses worker " + std::to_string(id.value) + " whose machine is listed as alive");
    }
    return;
  }
  const auto looked = seen.looked_up.find(w->instance_id);
  if (looked == seen.looked_up.end()) return fail("loses an absent worker without a look");
  if (looked->second && !is_gone(looked->second->state))
    return fail("loses a worker that the look found alive");
  if (!w->known_before) fail("loses a worker that the listing may not know");
  if (w->silent_for && *w->silent_for < Seconds{3 * seen.tunables.heartbeat_interval_s}) {
    fail("loses a worker that was heard a moment ago");
  }
}

void Judge::look(const Terminate& action) {
  if (action.worker.value != 0) {
    const FleetWorker* w = worker(action.worker);
    if (w == nullptr || w->instance_id != action.instance_id) return fail("terminates an unknown worker");
    end_once(action.worker);
    if (w->state == WorkerState::terminating || !w->registered) return;
    if (w->notice_until) {
      if (seen.now < *w->notice_until + Seconds{300}) fail("ends a machine that the cloud is about to take");
      return;
    }
    if (w->leases > 0) return fail("terminates busy worker " + std::to_string(w->id.value));
    if (w->state != WorkerState::draining) fail("terminates a worker that may be claiming, without a cordon");
    return;
  }
  for (const auto& w : seen.workers) {
    if (w.instance_id == action.instance_id) return fail("takes a worker's machine for an orphan");
  }
  for (const Instance* instance : listings(action.instance_id)) {
    const bool ours = std::any_of(instance->tags.begin(), instance->tags.end(), [&](const auto& tag) {
      return tag.first == kDeploymentTag && tag.second == seen.deployment;
    });
    if (!ours) return fail("terminates a stranger's machine");
    for (const auto& launch : seen.launches) {
      if (launch.state == LaunchState::intended && launch.client_token == instance->client_token &&
          launch.instances < launch.count && !is_gone(instance->state)) {
        return fail("reaps a machine whose intent exists");
      }
    }
  }
}

void Judge::look(const CordonIdle& action) {
  const FleetWorker* w = worker(action.worker);
  if (w == nullptr || w->instance_id != action.instance_id) return fail("cordons an unknown worker");
  end_once(action.worker);
  if (w->leases > 0) return fail("cordons busy worker " + std::to_string(w->id.value));
  if (w->state != WorkerState::active) return fail("cordons a worker that is not active");
  const PoolSpec& spec = pool(w->pool)->spec;
  const auto active = std::count_if(seen.workers.begin(), seen.workers.end(), [&](const FleetWorker& other) {
    return other.pool == w->pool && other.state != WorkerState::terminating;
  });
  const bool idle = w->idle_for && *w->idle_for >= spec.idle_timeout;
  const bool asks = w->asked_ago && *w->asked_ago < Seconds{60};
  const auto& queues = spec.queues.empty() ? std::vector<std::string>{spec.name} : spec.queues;
  const bool work = !seen.paused && std::any_of(queues.begin(), queues.end(), [&](const std::string& queue) {
    return seen.ready.contains(queue) && seen.ready.at(queue) > 0;
  });
  const bool silent = !w->silent_for || *w->silent_for >= Seconds{seen.tunables.lease_s};
  if (!idle && !silent && active <= spec.max) fail("cordons a worker that speaks and is wanted");
  if (work && asks && !silent && active <= spec.max)
    fail("cordons a worker that asks for work while some waits");
}

void Judge::look(const AdoptInstances& action) {
  for (const auto& instance : action.instances) {
    for (const auto& w : seen.workers) {
      if (w.instance_id == instance.id) return fail("adopts a known worker's machine");
    }
  }
  for (const auto& launch : seen.launches) {
    if (launch.id == action.launch &&
        launch.instances + static_cast<int>(action.instances.size()) > launch.count) {
      return fail("adopts more than the intent counts");
    }
  }
}

void Judge::look(const InsertLaunch& action) {
  const PoolView* p = pool(action.pool);
  if (p == nullptr || p->spec.provider != Provider::ec2) return fail("launches for a pool that is not ours");
  if (seen.paused || !p->blocked_reason.empty()) return fail("launches though paused or blocked");
  if (added_[action.pool] > 0) return fail("launches twice for one pool in a tick");
  if (action.count < 1 || action.count > p->spec.max_increase) return fail("launches more than max_increase");
  if (seen.health.muted({action.pool, action.instance_type, action.subnet, action.market}, seen.steady) !=
      nullptr) {
    return fail("asks for what was just refused");
  }
  added_[action.pool] += action.count;
  launched_ += action.count;
}

void Judge::leave(const Plan& plan) {
  for (const auto& action : plan.actions) {
    WorkerId id;
    if (const auto* lost = std::get_if<LoseWorker>(&action)) id = lost->worker;
    if (const auto* gone = std::get_if<MarkGone>(&action)) id = gone->worker;
    if (const FleetWorker* w = worker(id)) ++leaving_[w->pool];
    const auto* closed = std::get_if<CloseLaunch>(&action);
    for (const auto& launch : seen.launches) {
      if (closed != nullptr && launch.id == closed->launch) {
        leaving_[launch.pool] += std::max(launch.count - launch.instances, 0);
      }
    }
  }
}

void Judge::check_totals() {
  std::map<std::string, int> there;
  for (const auto& w : seen.workers) ++there[w.pool];
  for (const auto& launch : seen.launches) {
    if (launch.state == LaunchState::intended)
      there[launch.pool] += std::max(launch.count - launch.instances, 0);
  }
  for (const auto& [name, count] : added_) {
    if (count > 0 && there[name] - leaving_[name] + count > pool(name)->spec.max)
      fail("goes above max of " + name);
  }
  if (launched_ > seen.tunables.max_launches_per_minute) fail("goes above max_launches_per_minute");
}

std::optional<std::string> Judge::judge(const Plan& plan) {
  if (!seen.listing || !seen.leading) {
    if (!plan.actions.empty()) fail("acts without a listing or the lead");
    return broken_;
  }
  leave(plan);
  for (const auto& action : plan.actions) {
    std::visit([this](const auto& what) { look(what); }, action);
  }
  check_totals();
  return broken_;
}

}  // namespace

std::optional<std::string> violation(const Observation& seen, const Plan& plan) {
  return Judge(seen).judge(plan);
}

}  // namespace drover::core::testing
