#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "drover/reconcile/reconciler.hpp"

#include "counting_metrics.hpp"
#include "fake_cloud.hpp"
#include "one_thread_fleet.hpp"

namespace drover::reconcile::testing {

inline core::CloudError cloud_error(core::CloudErrorClass error_class, const std::string& code) {
  return {error_class, code, code + " for a reason"};
}

// One kind of machine, which serves the queue of the pool's own name.
core::PoolSpec pool_spec(const std::string& name, int max);

// A reconciler, ticked by hand, over the engine and the store in memory, with a cloud whose machines run a
// worker program as far as the engine hears of one. All in one thread and by one clock, which stands still
// but for pass().
class Bench {
 public:
  Bench();

  std::unique_ptr<Reconciler> make();
  Millis tick() { return reconciler->tick(); }
  void ticks(int count, Seconds apart);
  // The worker programs go on, in steps too short to be taken for a standstill of the process.
  void pass(Micros time);

  // Makes the pool, or edits it.
  void put(const core::PoolSpec& spec) { engine.put_pool(spec); }
  void submit(const std::string& queue, int jobs) { engine.add_jobs(jobs, queue); }
  void cancel_all();  // jobs
  // The machines that the cloud has started come up, and their programs register with the token of their user
  // data; those that are registered ask for work.
  void boot_all();
  // A machine that no launch of the reconciler's led to. Its program asks for work.
  void join(const std::string& instance, const std::string& pool);
  // The program's job succeeds. It asks for no other before beat().
  void finish(const std::string& instance);
  // What each program does every five seconds while its machine runs: a heartbeat, and a question for work if
  // it has none.
  void beat();

  // Another daemon leads; this one notices when it next asks the store.
  void another_takes_the_lead();
  void another_gives_the_lead_up() { other_.reset(); }
  // Likewise, until this one has noticed.
  void another_leads();
  void leads_again();
  // A daemon that died and came back: memory is gone, the store and the cloud are not.
  void restart();

  // As stored.
  [[nodiscard]] std::vector<ports::WorkerRow> workers();  // gone ones included, by id
  [[nodiscard]] std::vector<ports::JobRow> jobs();
  [[nodiscard]] core::WorkerState state_of(const std::string& instance);
  [[nodiscard]] std::vector<std::string> gone();                // instances of the workers that are
  [[nodiscard]] std::vector<ports::LaunchRow> open_launches();  // intended and fulfilled ones, by id
  [[nodiscard]] ports::LaunchRow launch_of(std::size_t call);   // that led to this call of the cloud
  [[nodiscard]] ports::PoolRow pool(const std::string& name);
  // The attempts that ended, by the worker's instance.
  [[nodiscard]] std::vector<std::pair<std::string, core::Outcome>> ends();
  // As the engine shows it.
  [[nodiscard]] engine::EngineView view() { return *fleet.view(); }
  // What the reconciler says of a pool; nullptr: nothing of this kind.
  [[nodiscard]] const FleetNote* note(const std::string& pool, core::NoteKind kind);

  OneThread engine;
  drover::testing::ManualClock& clock = engine.clock;
  CountingMetrics metrics;
  FakeCloud cloud{clock};
  OneThreadFleet one_thread{engine};
  PlannedFleet fleet{one_thread};
  std::set<std::string> muted;  // instances whose program nobody hears any more
  std::unique_ptr<Reconciler> reconciler = make();

 private:
  struct Program {
    engine::WorkerAuth auth;
    std::vector<engine::ClaimedJob> has;
  };
  void boot(core::Instance& machine);
  [[nodiscard]] bool is_heard(const std::string& instance) const;

  std::map<std::string, Program> programs_;  // by instance
  SteadyTime next_beat_;
  int polls_ = 0;
  std::unique_ptr<ports::LeaderSession> other_;  // another daemon's
  FleetStatus status_;
};

}  // namespace drover::reconcile::testing
