#include "drover/reconcile/reconciler.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "drover/base/log.hpp"
#include "drover/base/thread_name.hpp"
#include "drover/core/backoff.hpp"

#include "executor.hpp"
#include "observe.hpp"

namespace drover::reconcile {
namespace {

using Listing = core::CloudResult<std::vector<core::Instance>>;

constexpr int kAgainAtOnce = 8;  // ticks in a row without a gap, to try other offerings
constexpr Seconds kListRetryMax{60};
constexpr Millis kBlindRetry{2000};  // while the store is away or another leads
constexpr Millis kSlice{500};        // of waiting, so that the watchdog sees the loop live

FleetNote note_of(const core::Note& note, WallTime now) {
  FleetNote out{note.pool, note.kind, note.text, note.error, note.instance_type, {}};
  if (note.next_try) out.next_try = now + *note.next_try;
  return out;
}

}  // namespace

struct Reconciler::Impl {
  Impl(FleetPort& fleet_port, ports::Cloud& cloud_port, const Clock& a_clock, ports::Metrics& a_metrics,
       ReconcileOptions the_options)
      : fleet(fleet_port),
        clock(a_clock),
        metrics(a_metrics),
        options(std::move(the_options)),
        cloud(cloud_port, a_clock, a_metrics, [this] { progress(); }) {
    metrics.describe("drover_reconcile_ticks_total", "Ticks of the fleet loop, by what they could see.");
    metrics.describe("drover_reconcile_tick_seconds", "How long a tick of the fleet loop took.");
    metrics.describe("drover_reconcile_actions_total",
                     "What the fleet loop did; not what was planned and then refused.");
    metrics.describe("drover_cloud_calls_total",
                     "Calls of the cloud, by outcome (ok, or the class of the error).");
    metrics.describe("drover_instances_launched_total", "Machines that the cloud gave.");
    metrics.describe("drover_workers_lost_total", "Workers whose machine was lost.");
    progress();
  }

  void progress() { last_progress.store(clock.steady().time_since_epoch().count()); }

  Millis tick();
  const char* look_and_act();
  bool look(Sight& sight);
  void list(Sight& sight);
  core::Plan plan_with_look_ups(core::Observation& seen);
  void begin_term(std::int64_t new_epoch);
  void publish(const core::Plan& plan);
  void loop();
  void wait(SteadyTime started, Millis delay);

  FleetPort& fleet;
  const Clock& clock;
  ports::Metrics& metrics;
  const ReconcileOptions options;
  CountedCloud cloud;

  // Of the loop's thread.
  std::int64_t epoch = -1;
  core::PlannerMemory memory;
  core::Outcomes outcomes;
  core::CloudHealth health;
  std::map<std::string, std::int64_t> pool_versions;
  int list_failures = 0;
  SteadyTime list_next;
  core::CloudError list_error;  // the last
  Millis next_wake{0};
  bool again = false;
  bool looked = false;  // in the present tick
  int again_in_a_row = 0;

  std::atomic<SteadyTime::rep> last_progress{0};
  mutable std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  std::optional<SteadyTime> woken;  // the first wake() since the last tick
  FleetStatus status;
  std::thread thread;
};

// What was learnt of the cloud holds for one term only: between two terms another leader may have acted.
void Reconciler::Impl::begin_term(std::int64_t new_epoch) {
  if (epoch == new_epoch) return;
  epoch = new_epoch;
  memory = {};
  outcomes = {};
  health = {};
  pool_versions.clear();
}

void Reconciler::Impl::list(Sight& sight) {
  if (!wants_listing(sight.view, sight.before)) {
    sight.listing.emplace();
    return;
  }
  if (clock.steady() < list_next) {
    sight.listing_error = list_error;
    return;
  }
  auto listing = cloud.list(to_string(sight.view.deployment));
  if (listing.ok()) {
    const auto ids = ids_to_list(sight.view, sight.before);
    auto more = ids.empty() ? Listing(std::vector<core::Instance>{}) : cloud.look_up(ids);
    if (more.ok()) {
      listing->insert(listing->end(), more->begin(), more->end());
    } else {
      listing = std::move(more);  // a listing without these instances would be incomplete
    }
  }
  if (listing.ok()) {
    list_failures = 0;
    sight.listing = std::move(*listing);
    return;
  }
  ++list_failures;
  const Seconds delay = core::doubled(Seconds{1}, list_failures, kListRetryMax);
  list_next = clock.steady() + delay;
  if (cloud.trouble) cloud.trouble->next_try = clock.wall() + delay;
  sight.listing_error = list_error = listing.error();
}

bool Reconciler::Impl::look(Sight& sight) {
  looked = true;
  auto before = fleet.fleet();
  if (!before.ok()) return false;
  sight.before = std::move(*before);
  list(sight);
  auto after = fleet.fleet();
  if (!after.ok()) return false;
  sight.after = std::move(*after);
  auto view = fleet.view();
  if (!view.ok() || !view->leading || view->epoch != epoch) return false;
  sight.view = std::move(*view);
  return true;
}

core::Plan Reconciler::Impl::plan_with_look_ups(core::Observation& seen) {
  core::Plan plan = core::plan(seen);
  for (const auto& action : plan.actions) {
    const auto* ask = std::get_if<core::LookUp>(&action);
    if (ask == nullptr) continue;
    const auto answer = cloud.look_up(ask->instance_ids);
    if (!answer.ok()) return plan;  // asked again in the next tick
    for (const auto& id : ask->instance_ids) seen.looked_up[id] = std::nullopt;
    for (const auto& instance : *answer) seen.looked_up[instance.id] = instance;
    return core::plan(seen);
  }
  return plan;
}

// Returns the outcome of the tick, for the metric.
const char* Reconciler::Impl::look_and_act() {
  next_wake = kBlindRetry;
  auto view = fleet.view();
  if (!view.ok() || !view->leading) {
    const std::lock_guard lock(mutex);
    status.leading = false;
    status.frozen.clear();
    status.notes.clear();
    return view.ok() ? "standby" : "no_engine";
  }
  begin_term(view->epoch);
  Sight sight;
  sight.view = std::move(*view);
  if (!look(sight)) return "no_store";
  const ports::FleetSnapshot after = sight.after;
  const engine::EngineView current = sight.view;
  for (const auto& pool : current.pools) {
    const auto [known, first] = pool_versions.try_emplace(pool.spec.name, pool.version);
    if (!first && known->second != pool.version) health.forget_pool(pool.spec.name);
    known->second = pool.version;
  }
  core::Observation seen = observe(std::move(sight));
  seen.now = clock.wall();
  seen.steady = clock.steady();
  seen.health = health;
  seen.memory = memory;
  seen.outcomes = outcomes;
  core::Plan plan = plan_with_look_ups(seen);
  memory = std::move(plan.memory);
  next_wake = plan.next_wake;
  if (list_failures > 0) {
    next_wake = std::min(next_wake, std::chrono::ceil<Millis>(list_next - clock.steady()));
  }
  Executor executor(fleet, cloud, clock, metrics, options, outcomes, health, [this] {
    const std::lock_guard lock(mutex);
    return !stopping;
  });
  again = executor.run(plan.actions, {current, after, seen.listing});
  publish(plan);
  return seen.listing ? "ok" : "no_cloud";
}

void Reconciler::Impl::publish(const core::Plan& plan) {
  const WallTime now = clock.wall();
  std::vector<FleetNote> notes;
  for (const auto& note : plan.notes) notes.push_back(note_of(note, now));
  const std::lock_guard lock(mutex);
  status.leading = true;
  if (std::none_of(notes.begin(), notes.end(),
                   [](const auto& note) { return note.kind == core::NoteKind::no_cloud; })) {
    status.last_tick = now;
    if (status.frozen.empty() && !plan.frozen.empty()) log_error("fleet frozen: {}", plan.frozen);
    if (!status.frozen.empty() && plan.frozen.empty()) log_info("fleet no longer frozen");
    status.frozen = plan.frozen;
    status.pools = plan.pools;
  }
  status.notes = std::move(notes);
}

Millis Reconciler::Impl::tick() {
  const SteadyTime started = clock.steady();
  progress();
  again = false;
  looked = false;
  const char* outcome = look_and_act();
  metrics.add("drover_reconcile_ticks_total", 1, {{"outcome", outcome}});
  const std::chrono::duration<double> took = clock.steady() - started;
  metrics.observe("drover_reconcile_tick_seconds", took.count());
  {
    const std::lock_guard lock(mutex);
    status.trouble = cloud.trouble;
  }
  again_in_a_row = again ? again_in_a_row + 1 : 0;
  if (again && again_in_a_row <= kAgainAtOnce) return Millis{0};
  const double share = 1 + options.jitter * (static_cast<double>(random_u64() % 2001) / 1000.0 - 1);
  const Millis spread{static_cast<std::int64_t>(static_cast<double>(next_wake.count()) * share)};
  return std::max(spread, options.min_gap);
}

// Returns when the delay is over, or when wake() was called and `debounce` has passed since.
void Reconciler::Impl::wait(SteadyTime started, Millis delay) {
  std::unique_lock lock(mutex);
  const SteadyTime due = started + delay;
  // min_gap counts only after a tick that listed the cloud. A tick that was skipped on standby must not delay
  // the first tick as leader.
  const SteadyTime soonest = looked ? started + options.min_gap : started;
  while (!stopping) {
    const SteadyTime now = clock.steady();
    SteadyTime until = due;
    if (woken) until = std::min(until, std::max(*woken + options.debounce, soonest));
    if (now >= until) return;
    progress();
    changed.wait_for(lock, std::min<SteadyTime::duration>(until - now, kSlice));
  }
}

void Reconciler::Impl::loop() {
  name_thread("reconcile");
  while (true) {
    {
      const std::lock_guard lock(mutex);
      if (stopping) return;
      woken.reset();
    }
    const SteadyTime started = clock.steady();
    const Millis delay = tick();
    if (delay > Millis{0}) wait(started, delay);
  }
}

Reconciler::Reconciler(FleetPort& fleet, ports::Cloud& cloud, const Clock& clock, ports::Metrics& metrics,
                       ReconcileOptions options)
    : impl_(std::make_unique<Impl>(fleet, cloud, clock, metrics, std::move(options))) {}

Reconciler::~Reconciler() {
  stop();
}

void Reconciler::start() {
  if (impl_->thread.joinable()) return;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = false;
  }
  impl_->thread = std::thread([this] { impl_->loop(); });
}

void Reconciler::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

void Reconciler::wake() {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->woken) return;
    impl_->woken = impl_->clock.steady();
  }
  impl_->changed.notify_all();
}

Millis Reconciler::tick() {
  return impl_->tick();
}

FleetStatus Reconciler::status() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->status;
}

ports::FleetNotes Reconciler::notes() const {
  const FleetStatus now = status();
  ports::FleetNotes notes;
  notes.frozen = !now.frozen.empty();
  notes.frozen_reason = now.frozen;
  if (now.trouble) notes.last_error = core::describe(now.trouble->error);
  for (const FleetNote& note : now.notes) {
    const std::string message = note.error ? note.error->message : note.text;
    if (!note.pool.empty()) {
      notes.pools.push_back(
          {note.pool, note.error ? note.error->code : "", message, note.instance_type, note.next_try});
    } else if (note.kind == core::NoteKind::no_cloud) {
      notes.blind = note.error ? core::describe(*note.error) : note.text;
    }
  }
  return notes;
}

SteadyTime Reconciler::last_progress() const {
  return SteadyTime{SteadyTime::duration{impl_->last_progress.load()}};
}

}  // namespace drover::reconcile
