#include "view.hpp"

#include <iterator>
#include <set>
#include <string>
#include <utility>

namespace drover::engine {
namespace {

WorkerView view_of(const Parts& parts, const Worker& worker) {
  const SteadyTime now = parts.clock.steady();
  const auto since = [now](SteadyTime then) { return std::chrono::duration_cast<Millis>(now - then); };
  WorkerView view;
  view.id = worker.row.id;
  view.instance_id = worker.row.instance_id;
  view.pool = worker.row.pool_name;
  view.state = worker.row.state;
  view.slots = worker.row.slots;
  view.leases = static_cast<int>(worker.jobs.size());
  view.registered = worker.row.registered.has_value();
  view.alone = parts.state.runs_alone(worker, now);
  if (worker.heard) view.silent_for = since(*worker.heard);
  const bool asking = parts.waiters.of(worker.row.id) != nullptr;
  if (worker.asked) view.asked_ago = asking ? Millis{0} : since(*worker.asked);
  if (view.registered && worker.jobs.empty()) view.idle_for = since(worker.idle_since);
  return view;
}

// While the jobs are counted those that a pool names are always among them: their keys are read first.
std::set<std::string> chosen(const State& state, const QueuesWanted& wanted) {
  using Which = QueuesWanted::Which;
  std::set<std::string> out;
  const auto& known = state.accounts.queues();
  if (wanted.which != Which::by_name || state.accounts.counting()) {
    for (const auto& [id, pool] : state.pools) {
      for (std::string& queue : core::queues_of(pool.spec)) {
        if (wanted.which != Which::by_name || queue > wanted.after) out.insert(std::move(queue));
      }
    }
  }
  if (wanted.which == Which::longest) {
    std::size_t named = 0;
    for (const auto& [length, name] : state.accounts.by_length()) {
      if (named++ == wanted.limit) break;
      out.emplace(name);
    }
  } else if (wanted.which == Which::by_name) {
    auto queue = known.upper_bound(wanted.after);
    for (std::size_t i = 0; i < wanted.limit && queue != known.end(); ++i, ++queue) out.insert(queue->first);
    while (out.size() > wanted.limit) out.erase(std::prev(out.end()));
  }
  return out;
}

void name_queues(EngineView& view, const State& state, const QueuesWanted& wanted) {
  const Accounts& accounts = state.accounts;
  view.other_queues = {static_cast<std::int64_t>(accounts.queues().size()), accounts.sum().ready,
                       accounts.sum().leased};
  for (const std::string& name : chosen(state, wanted)) {
    const auto found = accounts.queues().find(name);
    const bool known = found != accounts.queues().end();
    if (!known && !view.counting) continue;
    const Accounts::Queue queue = known ? found->second : Accounts::Queue{};
    const auto suspects = static_cast<std::int64_t>(state.suspects.size(name));
    const std::int64_t ready = view.counting ? state.waiting_in_memory(name) + queue.claiming : queue.ready;
    const QueueView shown{ready, static_cast<int>(queue.leased), suspects};
    view.queues.emplace(name, shown);
    if (!known) continue;
    --view.other_queues.count;
    view.other_queues.ready -= queue.ready;
    view.other_queues.leased -= queue.leased;
  }
}

}  // namespace

EngineView view_of(const Parts& parts, const QueuesWanted& queues) {
  const State& state = parts.state;
  EngineView view;
  const Status trusted = parts.term.trusted(parts.clock.steady());
  view.leading = parts.term.leading() && trusted.ok();
  view.trusted_until = parts.term.trusted_until();
  view.standby_reason =
      parts.term.leading() && !trusted.ok() ? trusted.error().message : parts.term.standby_reason();
  view.store_reachable = parts.term.store_reachable();
  view.paused = state.paused;
  view.deployment = state.deployment;
  view.deployment_secret = state.deployment_secret;
  view.epoch = state.epoch;
  view.tunables = state.tunables;
  view.jobs_submitted = state.jobs_submitted;
  view.attempts_ended = state.attempts_ended;
  if (!view.leading) return view;  // memory may be out of date
  view.counting = state.accounts.counting();
  name_queues(view, state, queues);
  for (const auto& [id, pool] : state.pools) view.pools.push_back(pool);
  for (const auto& [id, worker] : state.workers) view.workers.push_back(view_of(parts, worker));
  return view;
}

JobPlace place_of(const Parts& parts, const std::string& queue, core::ReadyKey key) {
  const core::ReadyIndex& ready = parts.state.ready;
  const auto ahead = ready.ahead_of(queue, key);
  return {ahead.has_value(), ahead.value_or(static_cast<std::int64_t>(ready.size(queue))),
          parts.state.accounts.of(queue).ready};
}

}  // namespace drover::engine
