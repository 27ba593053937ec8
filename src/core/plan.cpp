#include "drover/core/plan.hpp"

#include <algorithm>
#include <tuple>

#include "drover/base/limits.hpp"
#include "drover/core/suspects.hpp"

#include "names.hpp"
#include "plan_context.hpp"

namespace drover::core {
namespace {

constexpr Names<NoteKind, 10> kNoteKinds{{"standby", "no_cloud", "frozen", "paused", "blocked", "no_capacity",
                                          "refused", "at_max", "budget", "retry"}};

// A listing read page by page may show one instance twice; a machine does not come back, so the end is the
// later word.
const Instance* later_of(const Instance* a, const Instance* b) {
  if (a == nullptr) return b;
  const auto order = [](const Instance& instance) {
    return std::tuple(is_gone(instance.state), instance.state, std::string_view(instance.state_reason));
  };
  return order(*a) < order(*b) ? b : a;
}

}  // namespace

std::string_view to_string(NoteKind kind) {
  return kNoteKinds.of(kind);
}

Seconds silence_allowed(const Tunables& tunables) {
  return Seconds{std::max(tunables.lease_s, 3 * tunables.heartbeat_interval_s)};
}

bool is_instance_id(std::string_view id) {
  if (!id.starts_with("i-") || id.size() < 3) return false;
  return std::all_of(id.begin() + 2, id.end(),
                     [](char ch) { return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f'); });
}

Context::Context(const Observation& observation, Plan& out) : seen(observation), plan(out) {
  for (const PoolView& pool : seen.pools) {
    PoolState& state = pools[pool.spec.name];
    state.view = &pool;
    state.figures.pool = pool.spec.name;
  }
  for (const FleetWorker& worker : seen.workers) {
    if (worker.state != WorkerState::gone) workers[worker.id] = &worker;
  }
  for (const auto& [id, worker] : workers) {
    by_instance[worker->instance_id] = worker;
    const auto pool = pools.find(worker->pool);
    if (pool != pools.end()) pool->second.workers.push_back(worker);
  }
  for (const Instance& instance : *seen.listing) {
    const Instance*& place = listed[instance.id];
    place = later_of(place, &instance);
  }
  for (const FleetLaunch& launch : seen.launches) launches[launch.id] = &launch;
}

void Context::note(const std::string& pool, NoteKind kind, std::string text, std::optional<Millis> next_try) {
  plan.notes.push_back(Note{pool, kind, std::move(text), next_try, {}});
}

void Context::wake_in(SteadyTime::duration delay) {
  const auto millis = std::chrono::ceil<Millis>(std::max(delay, SteadyTime::duration{0}));
  plan.next_wake = std::min(plan.next_wake, millis);
}

Provider Context::provider_of(const FleetWorker& worker) const {
  const auto pool = pools.find(worker.pool);
  if (!is_instance_id(worker.instance_id) || pool == pools.end()) return Provider::none;
  return pool->second.view->spec.provider;
}

bool Context::judged(const FleetWorker& worker) const {
  return provider_of(worker) != Provider::none;
}

SteadyTime::duration Context::age(const FleetWorker& worker) const {
  const auto first = plan.memory.first_seen.find(worker.id);
  return first == plan.memory.first_seen.end() ? SteadyTime::duration{0} : seen.steady - first->second;
}

SteadyTime::duration Context::silence(const FleetWorker& worker) const {
  return worker.silent_for ? SteadyTime::duration{*worker.silent_for} : age(worker);
}

bool Context::silent(const FleetWorker& worker) const {
  return worker.registered && worker.state == WorkerState::active && worker.leases == 0 &&
         silence(worker) >= silence_allowed();
}

bool Context::about_to_ask(const FleetWorker& worker) const {
  if (!worker.idle_for || *worker.idle_for >= silence_allowed()) return false;
  return !worker.asked_ago || *worker.asked_ago > *worker.idle_for;
}

// Between two polls that wait in vain a worker's last question is as old as such a poll is long.
bool Context::asks_no_more(const FleetWorker& worker) const {
  if (!worker.idle_for) return false;
  const Millis since = worker.asked_ago ? std::min(*worker.asked_ago, *worker.idle_for) : *worker.idle_for;
  return since >= silence_allowed() + limits::kLongPoll;
}

double Context::credible_loss(int fleet) const {
  return core::credible_loss(fleet, seen.tunables);
}

void Context::terminate(const FleetWorker* worker, const std::string& instance_id, bool mark,
                        std::string reason) {
  if (worker != nullptr) leaving.insert(worker->id);
  const auto sent = plan.memory.terminate_sent.find(instance_id);
  if (sent != plan.memory.terminate_sent.end() && seen.steady - sent->second < kTerminateRetry) {
    return wake_at(sent->second + kTerminateRetry);
  }
  plan.memory.terminate_sent[instance_id] = seen.steady;
  act(Terminate{worker != nullptr ? worker->id : WorkerId{}, instance_id, mark, std::move(reason)});
}

Plan plan(const Observation& seen) {
  Plan out;
  out.memory = seen.memory;
  out.next_wake = Seconds{seen.tunables.reconcile_interval_s};
  if (!seen.leading) {
    out.notes.push_back(Note{{}, NoteKind::standby, "this daemon does not lead", {}, {}});
    return out;
  }
  if (!seen.listing) {  // a failure to see is not a sign of death: nothing moves, and nothing is counted
    out.notes.push_back(Note{{}, NoteKind::no_cloud, seen.listing_error, {}, {}});
    return out;
  }
  Context c(seen, out);
  remember(c);
  judge_workers(c);
  measure_pools(c);
  resolve_launches(c);
  end_orphans(c);
  end_workers(c);
  scale_in(c);
  scale_out(c);
  block_pools(c);
  for (const auto& [name, pool] : c.pools) out.pools.push_back(pool.figures);
  return out;
}

}  // namespace drover::core
