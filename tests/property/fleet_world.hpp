#pragma once

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "drover/core/fleet/plan.hpp"

// A random fleet, what happens to it when a plan is carried out, and what no plan may ever do.
namespace drover::core::testing {

inline const std::string kOurs = "11111111-2222-4333-8444-555555555555";

class World {
 public:
  explicit World(unsigned seed);

  Observation seen;

  int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }
  bool chance(int percent) { return below(100) < percent; }
  std::mt19937& random() { return random_; }

  // Carries the plan out, the cloud giving all it is asked for, and keeps its memory.
  void apply(const Plan& plan);
  [[nodiscard]] const FleetWorker* worker(WorkerId id) const;
  [[nodiscard]] const Instance* instance(const std::string& id) const;

 private:
  void make_pools();
  void make_workers();
  void make_launches();
  void make_strangers();
  void make_weather();
  Instance& list(const std::string& id, InstanceState state);

  void carry_out(const LoseWorker& action) { remove(action.worker); }
  void carry_out(const MarkGone& action) { remove(action.worker); }
  void carry_out(const AdoptInstances& action);
  void carry_out(const CloseLaunch& action);
  void carry_out(const Terminate& action);
  void carry_out(const CordonIdle& action);
  void carry_out(const CallLaunch& action);
  void carry_out(const InsertLaunch& action);
  void carry_out(const BlockPool& action);
  void carry_out(const LookUp& action);
  void remove(WorkerId id);
  void end_instance(const std::string& id);
  FleetWorker& add_worker(const std::string& instance, const std::string& pool, WorkerState state);
  FleetWorker* find(WorkerId id);
  std::string next_instance();

  std::mt19937 random_;
  std::int64_t next_worker_ = 1;
  std::int64_t next_launch_ = 1;
  std::int64_t next_instance_ = 1;
};

// The first thing that `plan` does to what `seen` shows and must never do; nullopt when it is sound.
std::optional<std::string> violation(const Observation& seen, const Plan& plan);

}  // namespace drover::core::testing
