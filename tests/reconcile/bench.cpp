#include "bench.hpp"

#include <algorithm>

#include "drover/ports/tokens.hpp"

namespace drover::reconcile::testing {
namespace {

constexpr Seconds kBeat{5};
constexpr std::string_view kTokenIs = "token=";  // in a machine's user data

Secret token_in(const std::string& user_data) {
  return Secret(user_data.substr(user_data.find(kTokenIs) + kTokenIs.size()));
}

}  // namespace

core::PoolSpec pool_spec(const std::string& name, int max) {
  core::PoolSpec spec;
  spec.name = name;
  spec.max = max;
  spec.image = "ami-1";
  spec.instance_types = {"m5.large"};
  return spec;
}

Bench::Bench() : next_beat_(clock.steady() + kBeat) {
  engine.lead();
}

std::unique_ptr<Reconciler> Bench::make() {
  ReconcileOptions options;
  options.render_user_data = [](const core::PoolSpec& spec) {
    return "pool=" + spec.name + " " + std::string(kTokenIs) + std::string(ports::kBootstrapPlaceholder);
  };
  return std::make_unique<Reconciler>(fleet, cloud, clock, metrics, std::move(options));
}

void Bench::ticks(int count, Seconds apart) {
  for (int i = 0; i < count; ++i) {
    tick();
    pass(apart);
  }
}

void Bench::pass(Micros time) {
  while (time > Micros{0}) {
    const auto to_beat = std::chrono::duration_cast<Micros>(next_beat_ - clock.steady());
    const Micros step = std::clamp(to_beat, Micros{0}, time);
    engine.pass(step);
    time -= step;
    if (clock.steady() >= next_beat_) {
      beat();
      next_beat_ = clock.steady() + kBeat;
    }
  }
}

void Bench::cancel_all() {
  for (const ports::JobRow& job : jobs()) {
    engine.taken(engine.act(job.number, core::JobAction::cancel));
  }
}

void Bench::boot(core::Instance& machine) {
  machine.state = core::InstanceState::running;
  const auto launch = std::ranges::find(cloud.launches, machine.client_token,
                                        [](const auto& request) { return request.client_token; });
  const engine::Registration registration{machine.id, token_in(launch->user_data), "nonce", 1, {}, "host",
                                          "test"};
  const engine::Registered registered = engine.taken(engine.register_worker(registration));
  programs_[machine.id].auth = {registered.worker, registered.token};
}

void Bench::boot_all() {
  for (auto& [id, machine] : cloud.instances) {
    if (machine.state == core::InstanceState::pending) boot(machine);
  }
  beat();
}

void Bench::join(const std::string& instance, const std::string& pool) {
  programs_[instance].auth = engine.add_worker(instance, 1, pool);
  beat();
}

void Bench::finish(const std::string& instance) {
  Program& program = programs_.at(instance);
  ASSERT_EQ(program.has.size(), 1U);
  engine.taken(engine.report(program.auth, program.has[0]));
  program.has.clear();
}

bool Bench::is_heard(const std::string& instance) const {
  const auto machine = cloud.instances.find(instance);
  return machine != cloud.instances.end() && machine->second.state == core::InstanceState::running &&
         !muted.contains(instance);
}

void Bench::beat() {
  std::vector<std::pair<Program*, engine::testing::Answer<engine::HeartbeatAnswer>>> beats;
  std::vector<std::pair<Program*, engine::testing::Answer<engine::ClaimAnswer>>> polls;
  for (auto& [instance, program] : programs_) {
    if (!is_heard(instance)) continue;
    beats.emplace_back(&program, engine.heartbeat(program.auth, program.has));
    if (program.has.empty())
      polls.emplace_back(&program, engine.poll(program.auth, "poll-" + std::to_string(++polls_)));
  }
  engine.settle();
  for (const auto& [program, answer] : beats) {
    if (!*answer || !(*answer)->ok()) continue;  // this daemon does not lead
    for (const engine::AttemptRef& stop : (**answer)->stop)
      std::erase_if(program->has, [&](const auto& job) { return job.attempt.job == stop.job; });
  }
  for (const auto& [program, answer] : polls) {
    if (*answer && (*answer)->ok()) program->has = (**answer)->jobs;
  }
}

void Bench::another_takes_the_lead() {
  engine.store.end_leader();
  other_ = *engine.store.lead();
}

void Bench::another_leads() {
  another_takes_the_lead();
  pass(engine.options.takeover);  // in which this daemon asks the store, and notices
  ASSERT_FALSE(view().leading);
}

void Bench::leads_again() {
  another_gives_the_lead_up();
  pass(Seconds{1});
  ASSERT_TRUE(view().leading);
}

void Bench::restart() {
  reconciler = make();
  another_leads();
  leads_again();
}

std::vector<ports::WorkerRow> Bench::workers() {
  std::vector<ports::WorkerRow> rows = *engine.store.workers(true, std::nullopt, 1000);
  std::ranges::reverse(rows);
  return rows;
}

core::WorkerState Bench::state_of(const std::string& instance) {
  const auto row = engine.store.worker(instance);
  return (*row)->state;
}

std::vector<ports::JobRow> Bench::jobs() {
  ports::JobFilter all;
  all.limit = 1000;
  return *engine.store.jobs(all);
}

std::vector<std::string> Bench::gone() {
  std::vector<std::string> out;
  for (const ports::WorkerRow& row : workers()) {
    if (row.state == core::WorkerState::gone) out.push_back(row.instance_id);
  }
  return out;
}

std::vector<ports::LaunchRow> Bench::open_launches() {
  return engine.store.fleet()->launches;
}

ports::LaunchRow Bench::launch_of(std::size_t call) {
  const Secret token = token_in(cloud.launches.at(call).user_data);
  const auto row = engine.store.launch_by_token(sha256(token.reveal()));
  return **row;
}

ports::PoolRow Bench::pool(const std::string& name) {
  const std::vector<ports::PoolRow> rows = *engine.store.pools();
  return *std::ranges::find(rows, name, [](const ports::PoolRow& row) { return row.spec.name; });
}

std::vector<std::pair<std::string, core::Outcome>> Bench::ends() {
  std::vector<std::pair<std::string, core::Outcome>> out;
  for (const ports::JobRow& job : jobs()) {
    const std::vector<ports::AttemptRow> attempts = *engine.store.attempts(job.number);
    for (const ports::AttemptRow& attempt : attempts) {
      if (attempt.outcome) out.emplace_back(attempt.instance_id, *attempt.outcome);
    }
  }
  return out;
}

const FleetNote* Bench::note(const std::string& pool, core::NoteKind kind) {
  status_ = reconciler->status();
  for (const FleetNote& note : status_.notes) {
    if (note.pool == pool && note.kind == kind) return &note;
  }
  return nullptr;
}

}  // namespace drover::reconcile::testing
