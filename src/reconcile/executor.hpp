#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drover/core/fleet/plan.hpp"
#include "drover/reconcile/reconciler.hpp"

namespace drover::reconcile {

// The cloud, with every call counted and the last failure kept. Used by one thread.
class CountedCloud {
 public:
  CountedCloud(ports::Cloud& cloud, const Clock& clock, ports::Metrics& metrics,
               std::function<void()> on_progress);
  core::CloudResult<std::vector<core::Instance>> list(const std::string& deployment);
  core::CloudResult<std::vector<core::Instance>> look_up(std::span<const std::string> ids);
  core::CloudResult<std::vector<core::Instance>> launch(const core::LaunchRequest& request);
  core::CloudStatus terminate(std::span<const std::string> ids);

  std::optional<CloudTrouble> trouble;

 private:
  template <class T>
  core::CloudResult<T> counted(const char* call, core::CloudResult<T> result);

  ports::Cloud& cloud_;
  const Clock& clock_;
  ports::Metrics& metrics_;
  std::function<void()> on_progress_;
};

// Carries one plan out. An action that the store refuses is dropped, since the plan was stale. Used by one
// thread.
class Executor {
 public:
  struct World {
    const engine::EngineView& view;
    const ports::FleetSnapshot& after;
    const std::optional<std::vector<core::Instance>>& listing;
  };
  Executor(FleetPort& fleet, CountedCloud& cloud, const Clock& clock, ports::Metrics& metrics,
           const ReconcileOptions& options, core::Outcomes& outcomes, core::CloudHealth& health,
           std::function<bool()> may_go_on);

  // True when it is worth planning again at once: an offering had no capacity, and there may be another.
  // Every call that changes something in the cloud is made only while this daemon leads for certain, in the
  // plan's term, and `may_go_on` says yes; what is left undone is planned again, by the daemon that leads
  // then.
  bool run(const std::vector<core::Action>& actions, const World& world);

 private:
  // False: it was not done, because the plan was stale or the store or the cloud would not; the log says so.
  bool carry_out(const core::AdoptInstances& action);
  bool carry_out(const core::CloseLaunch& action);
  bool carry_out(const core::Terminate& action);
  bool carry_out(const core::CordonIdle& action);
  bool carry_out(const core::CallLaunch& action);
  bool carry_out(const core::InsertLaunch& action);
  bool carry_out(const core::BlockPool& action);
  // Not carried out here: lose_workers() takes all losses together before, and look-ups are answered before
  // the last plan of the tick.
  bool carry_out(const core::LoseWorker&) { return false; }
  bool carry_out(const core::MarkGone&) { return false; }
  bool carry_out(const core::LookUp&) { return false; }

  void forget_what_is_over();
  void lose_workers(const std::vector<core::Action>& actions);
  void count(const core::Action& action);
  bool may_call();
  bool move_worker(WorkerId worker, core::WorkerMove move, const std::string& reason);
  [[nodiscard]] std::optional<core::LaunchRequest> freeze(const core::InsertLaunch& action) const;
  bool call(LaunchId launch, const std::string& pool, core::LaunchRequest request);
  bool put_off(LaunchId launch, const core::CloudError& error);
  void refused(LaunchId launch, const core::Offering& offering, int count, const core::CloudError& error);
  Result<ports::RecordLaunch::Answer> record(LaunchId launch, core::LaunchState state,
                                             std::vector<core::Instance> instances, std::string error);
  void terminate_collected();
  [[nodiscard]] const ports::PoolRow* pool(const std::string& name) const;
  [[nodiscard]] const ports::LaunchRow* launch_row(LaunchId launch) const;

  FleetPort& fleet_;
  CountedCloud& cloud_;
  const Clock& clock_;
  ports::Metrics& metrics_;
  const ReconcileOptions& options_;
  core::Outcomes& outcomes_;
  core::CloudHealth& health_;
  const std::function<bool()> may_go_on_;
  const World* world_ = nullptr;
  SteadyTime trusted_until_{};
  std::vector<std::string> to_terminate_;
  bool again_ = false;
  bool throttled_ = false;
};

}  // namespace drover::reconcile
