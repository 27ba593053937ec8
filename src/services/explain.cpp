#include "drover/services/explain.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "drover/base/text.hpp"
#include "drover/core/fleet/plan.hpp"
#include "drover/core/fleet/worker_rules.hpp"

namespace drover::services {
namespace {

class Reasons {
 public:
  Reason& add(std::string_view code, std::string message) {
    return all_.emplace_back(Reason{std::string(code), std::move(message), {}});
  }
  [[nodiscard]] bool empty() const { return all_.empty(); }
  [[nodiscard]] Explanation of(const ports::JobRow& job) && {
    return {job.number, job.state, std::move(all_)};
  }

 private:
  std::vector<Reason> all_;
};

void explain_queued(Reasons& out, const ExplainInput& input);
void explain_running(Reasons& out, const ports::JobRow& job);
void explain_final(Reasons& out, const ports::JobRow& job);

}  // namespace

Explanation explain_job(const ExplainInput& input) {
  const ports::JobRow& job = input.job;
  Reasons out;
  switch (job.state) {
    case core::JobState::queued:
      explain_queued(out, input);
      break;
    case core::JobState::running:
    case core::JobState::stopping:
      explain_running(out, job);
      break;
    case core::JobState::held:
      out.add("held", fmt::format("It is held{}; POST /jobs/{}/release lets it go on",
                                  job.reason.empty() ? std::string() : ": " + job.reason, job.number.value));
      break;
    case core::JobState::suspended:
      out.add("suspended", "It is suspended");
      break;
    case core::JobState::blocked:
      out.add("blocked", "It waits for other jobs to finish");
      break;
    case core::JobState::succeeded:
    case core::JobState::failed:
    case core::JobState::cancelled:
      explain_final(out, job);
      break;
  }
  if (out.empty()) out.add("queued", "It waits for a worker");
  return std::move(out).of(job);
}

namespace {

Reason::Value time_fact(const std::optional<WallTime>& time) {
  return time ? Reason::Value(to_rfc3339(*time)) : Reason::Value();
}
Reason::Value number_fact(const std::optional<int>& number) {
  return number ? Reason::Value(std::int64_t{*number}) : Reason::Value();
}
Reason::Value text_fact(const std::string& text) {
  return text.empty() ? Reason::Value() : Reason::Value(text);
}

struct PoolFleet {
  int machines = 0;  // that count towards max
  int starting = 0;
  int draining = 0;
  int slots = 0;   // of the active ones that take work
  int leases = 0;  // likewise
  int silent = 0;  // active ones with free slots, which are too silent to count on
};

// The facts that are in memory. Only the cloud knows whether the machine has ended.
core::WorkerFacts facts_of(const engine::WorkerView& worker, const core::PoolSpec& pool,
                           const core::Tunables& tunables) {
  core::WorkerFacts facts;
  facts.state = worker.state;
  facts.registered = worker.registered;
  facts.leases = worker.leases;
  facts.idle_for = worker.idle_for;
  facts.asked_ago = worker.asked_ago;
  facts.managed = pool.provider == core::Provider::ec2 && core::is_instance_id(worker.instance_id);
  // A worker that was not heard in this term has been silent for at least as long as it has been idle in it.
  facts.silence = worker.silent_for.value_or(worker.idle_for.value_or(Millis{0}));
  facts.silence_allowed = core::silence_allowed(tunables);
  facts.silence_borne = facts.silence_allowed;  // given_up and silent are counted alike below
  facts.registration_timeout = pool.registration_timeout;
  return facts;
}

// A worker that runs a suspect has no free slot. `whole`: the job is a suspect, so a worker that runs
// anything has none for it either.
void count_worker(const engine::WorkerView& worker, const core::WorkerFacts& facts, bool whole,
                  PoolFleet& fleet) {
  const bool taken = worker.alone || (whole && worker.leases > 0);
  const int leases = taken ? worker.slots : worker.leases;
  const bool silent = leases < worker.slots && !core::fills_slots(facts);
  fleet.silent += silent ? 1 : 0;
  fleet.slots += silent ? leases : worker.slots;
  fleet.leases += leases;
}

PoolFleet fleet_of(const engine::EngineView& view, const core::PoolSpec& pool, bool whole) {
  using core::Category;
  PoolFleet fleet;
  for (const engine::WorkerView& worker : view.workers) {
    if (worker.pool != pool.name || worker.state == core::WorkerState::gone) continue;
    ++fleet.machines;
    const core::WorkerFacts facts = facts_of(worker, pool, view.tunables);
    switch (core::category_of(facts)) {
      case Category::late:
      case Category::starting:
        ++fleet.starting;
        break;
      case Category::given_up:
      case Category::silent:
      case Category::idle:
      case Category::busy:
        count_worker(worker, facts, whole, fleet);
        break;
      case Category::ended:
      case Category::asked_to_end:
      case Category::taken_back:
      case Category::noticed:
      case Category::unwanted:
      case Category::drained:
      case Category::draining:
        ++fleet.draining;
        break;
    }
  }
  return fleet;
}

std::string plural(std::int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// The reconciler's note on a pool, one with a refusal of the cloud before others.
const ports::PoolNote* note_of(const ports::FleetNotes& notes, const std::string& pool) {
  const ports::PoolNote* found = nullptr;
  for (const ports::PoolNote& note : notes.pools) {
    if (note.pool == pool && (found == nullptr || (found->code.empty() && !note.code.empty()))) found = &note;
  }
  return found;
}

std::string next_try_text(const std::optional<WallTime>& time, WallTime now) {
  return time && *time > now ? fmt::format("; next try at {}", to_rfc3339(*time)) : std::string();
}

void explain_refusal(Reasons& out, const ExplainInput& input, const ports::PoolNote& note) {
  Reason& reason =
      out.add("no_capacity", fmt::format("The cloud refuses machines to pool {}: {}: {}{}", note.pool,
                                         note.code, note.message, next_try_text(note.next_try, input.now)));
  reason.set("pool", note.pool).set("cloud_code", note.code).set("cloud_message", note.message);
  if (!note.instance_type.empty()) reason.set("instance_type", note.instance_type);
  reason.set("next_try", time_fact(note.next_try));
}

// The time before which the job may not run: that of its submission, or the end of the delay after a failure.
std::optional<WallTime> wake_of(const ports::JobRow& job) {
  if (job.wake_at) return job.wake_at;
  return job.attempts == 0 ? job.spec.run_at : std::nullopt;
}

// Why no machine is launched, by what the cloud and the reconciler said.
void explain_no_launch(Reasons& out, const ExplainInput& input, const ports::PoolRow& pool, int machines) {
  const std::string& name = pool.spec.name;
  if (pool.spec.provider == core::Provider::none) {
    out.add(
           "no_worker",
           fmt::format("Pool {} has no free worker, and its workers are not launched by the scheduler", name))
        .set("pool", name);
    return;
  }
  if (!input.notes.blind.empty()) return;  // explain_blindness() says why nothing is launched
  const ports::PoolNote* note = note_of(input.notes, name);
  if (note != nullptr && !note->code.empty()) return explain_refusal(out, input, *note);
  // Other reasons say these already: the reconciler's note would only repeat them.
  if (input.view->paused || machines >= pool.spec.max) return;
  if (note != nullptr && !input.notes.frozen) {
    out.add("launch_waiting",
            fmt::format("Pool {}: {}{}", name, note->message, next_try_text(note->next_try, input.now)))
        .set("pool", name)
        .set("next_try", time_fact(note->next_try));
  } else if (const auto wake = wake_of(input.job); !input.notes.frozen && !(wake && *wake > input.now)) {
    out.add("launch_pending", fmt::format("A machine of pool {} is about to be launched", name))
        .set("pool", name);
  }
}

void explain_pool(Reasons& out, const ExplainInput& input, const ports::PoolRow& pool) {
  const std::string& name = pool.spec.name;
  const PoolFleet fleet = fleet_of(*input.view, pool.spec, input.job.alone > Seconds{0});
  if (!pool.blocked_reason.empty()) {
    out.add("pool_blocked", fmt::format("Pool {} launches nothing: {}", name, pool.blocked_reason))
        .set("pool", name);
  }
  if (fleet.leases < fleet.slots) {
    out.add("worker_free", fmt::format("A worker of pool {} has a free slot and will ask for work", name))
        .set("pool", name);
    return;
  }
  if (fleet.silent > 0) {
    out.add("workers_silent",
            fmt::format("{} of pool {} {} no work: nothing was heard of {} for too long",
                        plural(fleet.silent, "worker"), name, fleet.silent == 1 ? "takes" : "take",
                        fleet.silent == 1 ? "it" : "them"))
        .set("pool", name);
  }
  if (fleet.slots > 0) {
    Reason& reason = out.add("workers_busy",
                             fmt::format("All {} of pool {} are taken", plural(fleet.slots, "slot"), name));
    reason.set("pool", name).set("slots", fleet.slots);
  }
  if (fleet.starting > 0) {
    Reason& reason =
        out.add("worker_starting", fmt::format("{} of pool {} {} starting", plural(fleet.starting, "worker"),
                                               name, fleet.starting == 1 ? "is" : "are"));
    reason.set("pool", name).set("starting", fleet.starting);
  } else if (pool.blocked_reason.empty()) {
    explain_no_launch(out, input, pool, fleet.machines);
  }
  if (fleet.draining > 0) {
    out.add("workers_draining", fmt::format("{} of pool {} {} no more work", plural(fleet.draining, "worker"),
                                            name, fleet.draining == 1 ? "takes" : "take"))
        .set("pool", name);
  }
  if (pool.spec.provider != core::Provider::none && fleet.machines >= pool.spec.max) {
    Reason& reason = out.add(
        "pool_full", fmt::format("Pool {} has its {} already", name, plural(pool.spec.max, "machine")));
    reason.set("pool", name).set("max", pool.spec.max);
  }
}

bool has_free_slot(const ExplainInput& input, const core::PoolSpec& pool) {
  const PoolFleet fleet = fleet_of(*input.view, pool, input.job.alone > Seconds{0});
  return fleet.leases < fleet.slots;
}

void explain_blindness(Reasons& out, const ExplainInput& input) {
  if (input.notes.blind.empty()) return;
  out.add("cloud_error", fmt::format("The cloud cannot be looked at, so nothing is launched or ended: {}",
                                     input.notes.blind));
}

void explain_pools(Reasons& out, const ExplainInput& input) {
  const std::string& queue = input.job.spec.queue;
  std::vector<const ports::PoolRow*> serving;
  for (const ports::PoolRow& pool : input.view->pools) {
    const std::vector<std::string> queues = queues_of(pool.spec);
    if (std::find(queues.begin(), queues.end(), queue) != queues.end()) serving.push_back(&pool);
  }
  if (serving.empty()) {
    out.add("no_pool", fmt::format("No pool serves queue {}: create one, or add the queue to a pool", queue))
        .set("queue", queue);
    return;
  }
  // A worker with a free slot runs the job even while the cloud cannot be looked at, so that is said last
  // then.
  const bool free_slot = std::any_of(serving.begin(), serving.end(), [&](const ports::PoolRow* pool) {
    return has_free_slot(input, pool->spec);
  });
  if (!free_slot) explain_blindness(out, input);
  for (const ports::PoolRow* pool : serving) explain_pool(out, input, *pool);
  if (input.notes.frozen) {
    out.add("fleet_frozen", fmt::format("The fleet is frozen: {}", input.notes.frozen_reason));
  }
  if (free_slot) explain_blindness(out, input);
}

void explain_position(Reasons& out, const ExplainInput& input) {
  const std::string& queue = input.job.spec.queue;
  if (!input.place) return;  // the scheduler did not answer in time
  const std::int64_t others = input.place->ready - 1;
  const bool known = input.place->in_memory;
  const bool counting = input.view->counting;
  if ((known && input.place->ahead == 0) || (!counting && others <= 0)) {
    out.add("position", fmt::format("It is the next job of queue {}", queue)).set("ahead", 0);
  } else if (known) {
    out.add("position", fmt::format("{} of queue {} before it", plural(input.place->ahead, "job"), queue))
        .set("ahead", input.place->ahead);
  } else if (counting) {
    out.add("position", fmt::format("The jobs of queue {} are being counted, since the daemon began to lead "
                                    "not long ago; how many are before it is not known yet",
                                    queue))
        .set("ahead", {});
  } else {  // memory does not reach that far back: only the number of ready jobs is known
    out.add("position", fmt::format("At most {} of queue {} before it", plural(others, "job"), queue))
        .set("ahead", {})
        .set("ahead_at_most", others);
  }
}

void explain_queued(Reasons& out, const ExplainInput& input) {
  const ports::JobRow& job = input.job;
  const std::optional<WallTime> wake = wake_of(job);
  if (wake && *wake > input.now) {
    const bool retry = job.attempts > 0;
    std::string why = retry ? fmt::format("Its last attempt ended ({}); it",
                                          job.reason.empty() ? "to be repeated" : job.reason)
                            : std::string("It");
    out.add(retry ? "waiting_to_retry" : "waiting_for_time",
            fmt::format("{} waits until {}", why, to_rfc3339(*wake)))
        .set("until", to_rfc3339(*wake));
  }
  if (job.alone > Seconds{0}) {
    out.add("suspect",
            fmt::format("Its last attempt broke with its machine, so it waits for a worker that runs nothing "
                        "else, and has it to itself for {} s",
                        job.alone.count()))
        .set("alone_s", static_cast<std::int64_t>(job.alone.count()))
        .set("charges", job.charges);
  }
  if (!input.view) {
    out.add("unknown", "The scheduler did not answer; ask again");
    return;
  }
  if (!input.view->leading) {
    const std::string& why = input.view->standby_reason;
    out.add("not_leading",
            fmt::format("This daemon does not schedule: {}", why.empty() ? "it is not the leader" : why));
    return;
  }
  if (input.view->paused) {
    out.add("scheduler_paused",
            "The scheduler is paused: nothing is claimed or launched until it is resumed");
  }
  explain_pools(out, input);
  if ((!wake || *wake <= input.now) && job.alone == Seconds{0}) explain_position(out, input);
}

void explain_final(Reasons& out, const ports::JobRow& job) {
  const std::string when = job.finished ? " at " + to_rfc3339(*job.finished) : std::string();
  const std::string attempts = plural(job.attempts, "attempt");
  const std::string why = job.reason.empty() ? std::string() : ": " + job.reason;
  Reason* reason = nullptr;
  if (job.state == core::JobState::succeeded) {
    reason = &out.add("succeeded", fmt::format("It succeeded{} after {}", when, attempts));
  } else if (job.state == core::JobState::cancelled) {
    reason = &out.add("cancelled", fmt::format("It was cancelled{} after {}{}", when, attempts, why));
  } else {
    const std::string last = core::failure_reason(job.exit_code, job.signal);
    const bool told = last.empty() || last == job.reason;  // the reason says it already
    reason = &out.add("failed", fmt::format("It failed{} after {}{}{}", when, attempts,
                                            told ? std::string() : ", last " + last, why));
  }
  reason->set("attempts", job.attempts).set("exit_code", number_fact(job.exit_code));
  reason->set("signal", number_fact(job.signal));
}

void explain_running(Reasons& out, const ports::JobRow& job) {
  const std::string where = job.worker.empty() ? "a worker" : "worker " + job.worker;
  const std::string since = job.started ? " since " + to_rfc3339(*job.started) : std::string();
  Reason& reason =
      job.state == core::JobState::stopping
          ? out.add(
                "stopping",
                fmt::format("It is being stopped on {}, which hears of it with its next heartbeat", where))
          : out.add("running", fmt::format("It runs on {}{}, attempt {}", where, since, job.attempts));
  reason.set("worker", text_fact(job.worker)).set("attempt", job.attempts);
}

class EngineExplain final : public Explain {
 public:
  EngineExplain(engine::Engine& engine, Jobs& jobs, const ports::FleetBoard* board, const Clock& clock)
      : engine_(engine), jobs_(jobs), board_(board), clock_(clock) {}

  void look(const Principal& who, const JobKey& key, engine::Done<ExplainInput> done) override {
    Result<ports::JobRow> job = jobs_.get(who, key);
    if (!job.ok()) return done(job.error());
    ExplainInput input;
    input.job = std::move(*job);
    input.now = clock_.wall();
    if (input.job.state != core::JobState::queued) return done(std::move(input));
    input.view = *engine_.shown();
    if (board_ != nullptr) input.notes = board_->notes();
    const core::JobSpec& spec = input.job.spec;
    const core::ReadyKey place{-spec.priority, input.job.number.value};
    const std::string queue = spec.queue;
    engine_.place(
        queue, place,
        [input = std::move(input), done = std::move(done)](const Result<engine::JobPlace>& found) mutable {
          if (found.ok()) input.place = *found;
          done(std::move(input));
        });
  }

 private:
  engine::Engine& engine_;
  Jobs& jobs_;
  const ports::FleetBoard* board_;
  const Clock& clock_;
};

}  // namespace

std::unique_ptr<Explain> make_explain(engine::Engine& engine, Jobs& jobs, const ports::FleetBoard* board,
                                      const Clock& clock) {
  return std::make_unique<EngineExplain>(engine, jobs, board, clock);
}

}  // namespace drover::services
