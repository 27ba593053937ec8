#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "bodies.hpp"

namespace drover::api {
namespace {

using schema::field;
using schema::Flag;
using schema::List;
using schema::Nullable;
using schema::Record;
using schema::Said;
using schema::shown;
using schema::Table;
using schema::Whole;

// Always with one decimal (2.0): Scale's clients expect a float.
struct Decimal {
  static Json write(double value) {
    const double rounded = std::round(value * 10) / 10;
    return Json(Json::Fraction{rounded, fmt::format("{:.1f}", rounded)});
  }
  static Json describe(schema::Components& /*components*/) { return Json::object().set("type", "number"); }
};

// An object whose members have names of their own, with values of one kind.
template <class K>
struct ByName {
  K kind;

  template <class V>
  [[nodiscard]] Json write(const std::vector<std::pair<std::string, V>>& values) const {
    Json out = Json::object();
    for (const auto& [name, value] : values) out.set(name, kind.write(value));
    return out;
  }
  [[nodiscard]] Json describe(schema::Components& components) const {
    Json out = Json::object().set("type", "object");
    return std::move(out.set("additionalProperties", kind.describe(components)));
  }
};
template <class K>
ByName(K) -> ByName<K>;

const Table<services::Capacity>& capacity_table() {
  using C = services::Capacity;
  static const Table<C> table{
      "Capacity",
      Table<C>::Use::answer,
      "Of machines, added up.",
      {shown<C>("cpus", &C::cpus, Decimal{}), shown<C>("mem", &C::mem_mib, Decimal{}, "MiB."),
       shown<C>("disk", &C::disk_mib, Decimal{}, "MiB.")}};
  return table;
}

const Table<services::FleetCapacity>& fleet_capacity_table() {
  using F = services::FleetCapacity;
  static const Table<F> table{
      "FleetCapacity",
      Table<F>::Use::answer,
      "What all registered workers have.",
      {shown<F>("total", &F::total, Record{capacity_table()}),
       shown<F>("scheduled", &F::taken, Record{capacity_table()}, "The share of it whose slots run jobs."),
       shown<F>(
           "used", [](const F&) { return services::Capacity{}; }, Record{capacity_table()},
           "Always nothing: real use is not measured.")}};
  return table;
}

bool is_online(const DaemonStatus& status) {
  return status.view->leading && status.view->store_reachable;
}

const Table<DaemonStatus>& master_table() {
  using S = DaemonStatus;
  static const Table<S> table{
      "StatusMaster",
      Table<S>::Use::answer,
      "The daemon, in the words of an earlier system.",
      {shown<S>("is_online", is_online, Flag{}), shown<S>("hostname", &S::hostname, Said{}),
       shown<S>("port", &S::port, Whole{1, 65'535})}};
  return table;
}

const Table<DaemonStatus>& status_scheduler_table() {
  using S = DaemonStatus;
  static const Table<S> table{"StatusScheduler",
                              Table<S>::Use::answer,
                              "The scheduler within the daemon.",
                              {shown<S>("is_online", is_online, Flag{}),
                               shown<S>(
                                   "is_paused", [](const S& s) { return s.view->paused; }, Flag{}),
                               shown<S>("hostname", &S::hostname, Said{})}};
  return table;
}

struct OtherQueues {
  QueueShown sum;
  std::int64_t count = 0;
};

const Table<OtherQueues>& other_queues_table() {
  static const Table<OtherQueues> table = [] {
    std::vector<schema::Field<OtherQueues>> fields =
        schema::fields_of<OtherQueues>(queue_length_table(), &OtherQueues::sum);
    fields.push_back(shown<OtherQueues>("count", &OtherQueues::count, Whole{0}, "Queues."));
    return Table<OtherQueues>{"OtherQueues", Table<OtherQueues>::Use::answer, "Queues that are not named.",
                              std::move(fields)};
  }();
  return table;
}

OtherQueues other_queues(const DaemonStatus& status) {
  const engine::QueueSum& rest = status.view->other_queues;
  return {{{}, {rest.ready, static_cast<int>(rest.leased)}, status.view->counting}, rest.count};
}

std::vector<std::pair<std::string, QueueShown>> queues(const DaemonStatus& status) {
  std::vector<std::pair<std::string, QueueShown>> out;
  for (const auto& [name, queue] : status.view->queues)
    out.emplace_back(name, QueueShown{name, queue, status.view->counting});
  return out;
}

std::optional<std::int64_t> queue_depth(const DaemonStatus& status) {
  if (!status.view->leading || status.view->counting) return std::nullopt;
  std::int64_t depth = status.view->other_queues.ready;
  for (const auto& [name, queue] : status.view->queues) depth += queue.ready;
  return depth;
}

std::vector<std::pair<std::string, int>> workers_by_state(const DaemonStatus& status) {
  std::map<core::WorkerState, int> counts;
  for (const engine::WorkerView& worker : status.view->workers) ++counts[worker.state];
  std::vector<std::pair<std::string, int>> out;
  for (const core::WorkerState state : {core::WorkerState::starting, core::WorkerState::active,
                                        core::WorkerState::draining, core::WorkerState::terminating}) {
    out.emplace_back(to_string(state), counts[state]);
  }
  return out;
}

struct PoolShown {
  std::int64_t workers = 0;
  int max = 0;
  std::string blocked_reason;
  std::string note;
};

const Table<PoolShown>& status_pool_table() {
  using P = PoolShown;
  static const Table<P> table{"StatusPool",
                              Table<P>::Use::answer,
                              "",
                              {shown<P>("workers", &P::workers, Whole{0}, "Machines that it has."),
                               shown<P>("max", &P::max, Whole{0}),
                               shown<P>("blocked_reason", &P::blocked_reason, Nullable{Said{}},
                                        "Why it launches nothing until it is edited."),
                               shown<P>("note", &P::note, Nullable{Said{}},
                                        "What stood in the way when the fleet was last looked at.")}};
  return table;
}

std::vector<std::pair<std::string, PoolShown>> pools(const DaemonStatus& status) {
  std::vector<std::pair<std::string, PoolShown>> out;
  for (const ports::PoolRow& pool : status.view->pools) {
    PoolShown& shown = out.emplace_back(pool.spec.name, PoolShown{}).second;
    shown.workers = std::count_if(status.view->workers.begin(), status.view->workers.end(),
                                  [&](const auto& worker) { return worker.pool == pool.spec.name; });
    shown.max = pool.spec.max;
    shown.blocked_reason = pool.blocked_reason;
    for (const ports::PoolNote& note : status.notes.pools) {
      if (note.pool != pool.spec.name) continue;
      shown.note = note.code.empty() ? note.message : note.code + ": " + note.message;
      break;
    }
  }
  return out;
}

}  // namespace

const Table<DaemonStatus>& status_table() {
  using S = DaemonStatus;
  const auto self = [](const S& s) -> const S& { return s; };
  static const Table<S> table{
      "Status",
      Table<S>::Use::answer,
      "How everything is.",
      {shown<S>("master", self, Record{master_table()}),
       shown<S>("scheduler", self, Record{status_scheduler_table()}),
       shown<S>(
           "queue_depth", queue_depth, Nullable{Whole{0}},
           "Jobs that are queued and due. Null while they are counted, and of a daemon that does not lead."),
       shown<S>(
           "resources", [](const S& s) { return *s.capacity; }, Record{fleet_capacity_table()},
           "Absent when not known.")
           .only_when([](const S& s) { return s.capacity.has_value(); }),
       shown<S>(
           "queues", queues, ByName{Record{queue_length_table()}},
           "Of the queues with jobs that are ready or run: those that pools serve, and the hundred longest."),
       shown<S>("other_queues", other_queues, Record{other_queues_table()},
                "The rest, as one sum; GET /queues names all."),
       shown<S>("workers", workers_by_state, ByName{Whole{0}}, "How many there are in each state."),
       shown<S>("pools", pools, ByName{Record{status_pool_table()}}),
       shown<S>(
           "leading", [](const S& s) { return s.view->leading; }, Flag{}),
       shown<S>(
           "standby_reason",
           [](const S& s) { return s.view->leading ? std::string() : s.view->standby_reason; },
           Nullable{Said{}}, "Why this daemon does not lead."),
       shown<S>(
           "store_reachable", [](const S& s) { return s.view->store_reachable; }, Flag{}),
       shown<S>(
           "fleet_frozen", [](const S& s) { return s.notes.frozen; }, Flag{},
           "So much of the fleet is absent at once that nothing is done about it."),
       shown<S>(
           "cloud_error", [](const S& s) { return s.notes.last_error; }, Nullable{Said{}},
           "What the cloud refused last, until it goes well again."),
       shown<S>("version", &S::version, Said{})}};
  return table;
}

const Table<Pause>& pause_table() {
  static const Table<Pause> table{
      "Scheduler",
      Table<Pause>::Use::request,
      "The switch of the scheduler.",
      {field<Pause>("is_paused", &Pause::is_paused, Flag{},
                    "Paused, nothing is claimed or launched; what runs goes on.")}};
  return table;
}

const Table<Index>& index_table() {
  static const Table<Index> table{
      "Index",
      Table<Index>::Use::answer,
      "What this daemon serves.",
      {shown<Index>(
           "name", [](const Index&) { return std::string("drover"); }, Said{}),
       shown<Index>("version", &Index::version, Said{}),
       shown<Index>("routes", &Index::routes, List{Said{}}, "Methods and paths.")}};
  return table;
}

// Only documents problems. They are written in http/problem.cpp, whose layer cannot use tables.
const Table<Problem>& problem_table() {
  using P = Problem;
  const auto text = [](const P&) { return std::string(); };
  static const Table<P> table{
      "Problem",
      Table<P>::Use::answer,
      "What went wrong (RFC 9457).",
      {shown<P>("type", text, Said{}, "Always about:blank."), shown<P>("title", text, Said{}),
       shown<P>(
           "status", [](const P&) { return 0; }, Whole{400, 599}),
       shown<P>("detail", text, Said{}, "A sentence for a person: what is wrong, and what to do."),
       shown<P>("code", text, Said{}, "A word for programs."),
       shown<P>("field", text, Said{}, "The member or parameter that is wrong, dotted.")
           .only_when([](const P&) { return false; }),
       shown<P>("message", text, Said{}, "As `detail`; for older clients."),
       shown<P>("error", text, Said{}, "As `detail`; for older clients.")}};
  return table;
}

}  // namespace drover::api
