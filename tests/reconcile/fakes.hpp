#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "drover/ports/cloud.hpp"
#include "drover/ports/metrics.hpp"
#include "drover/reconcile/fleet_port.hpp"

#include "manual_clock.hpp"

// A store with its engine, a cloud and a clock in memory, with the faults that real ones have. Thread-safe
// where the reconciler's thread and a test meet.
namespace drover::reconcile::testing {

using drover::testing::ManualClock;

class CountingMetrics final : public ports::Metrics {
 public:
  void describe(std::string_view, std::string_view) override {}
  void add(std::string_view counter, double amount, ports::MetricLabels labels) override;
  void set(std::string_view gauge, double value, ports::MetricLabels labels) override;
  void replace(std::string_view, const std::vector<ports::GaugeSample>&) override {}
  void observe(std::string_view, double, ports::MetricLabels) override {}
  std::string render() override { return {}; }
  double value(const std::string& name_and_labels);  // "name{a=b,c=d}"

 private:
  std::mutex mutex_;
  std::map<std::string, double> values_;
};

class FakeCloud final : public ports::Cloud {
 public:
  explicit FakeCloud(const Clock& clock) : clock_(clock) {}
  core::CloudResult<std::vector<core::Instance>> run_instances(const core::LaunchRequest& request) override;
  core::CloudResult<std::vector<core::Instance>> list_by_tag(const std::string& key,
                                                             const std::string& value) override;
  core::CloudResult<std::vector<core::Instance>> list_by_id(std::span<const std::string> ids) override;
  core::CloudStatus terminate(std::span<const std::string> ids) override;

  // Faults and wishes.
  std::deque<core::CloudError> refuse_launches;          // one a call, before anything happens
  std::map<std::string, core::CloudError> refuse_types;  // by instance type, always
  std::optional<int> gives;                              // at most so many of a launch
  bool lose_replies = false;                             // launches happen, their answers do not come
  std::optional<core::CloudError> refuse_lists;
  std::set<std::string> hidden;   // from the listing by tag
  std::set<std::string> unknown;  // and by id
  std::set<std::string> protect;  // from termination

  core::Instance& add(const std::string& id, core::InstanceState state, const std::string& deployment);
  void end(const std::string& id, const std::string& reason);
  [[nodiscard]] int alive() const;

  std::vector<core::LaunchRequest> launches;           // as they came in
  std::vector<std::vector<std::string>> terminations;  // likewise
  int lists = 0;
  int look_ups = 0;
  std::map<std::string, core::Instance> instances;

 private:
  const Clock& clock_;
  int next_ = 1;
};

class FakeFleet final : public FleetPort {
 public:
  explicit FakeFleet(const Clock& clock);
  Result<engine::EngineView> view() override;
  Result<ports::FleetSnapshot> fleet() override;
  ports::Settled apply_any(ports::Change change) override;
  std::vector<Status> lose_workers(const std::vector<LostWorker>& lost_now) override;

  ports::PoolRow& pool(const std::string& name, int max);
  ports::WorkerRow& worker(const std::string& instance, const std::string& pool, core::WorkerState state);
  void ready(const std::string& queue, std::int64_t jobs) { memory.queues[queue].ready = jobs; }

  engine::EngineView memory;             // its pools and queues; workers are made of the rows
  std::deque<ports::WorkerRow> workers;  // gone ones included
  std::deque<ports::LaunchRow> launches;
  std::map<WorkerId, int> leases;
  std::map<WorkerId, Millis> idle_for;
  std::map<WorkerId, Millis> silent_for;
  std::map<std::int64_t, Sha256> bootstrap_hashes;  // by launch
  std::vector<std::pair<WorkerId, core::Outcome>> lost;
  std::function<std::optional<Error>(const ports::Change&)> refuse;
  int snapshots = 0;
  int snapshot_fails_at = 0;  // the n-th from now on; 0: never

 private:
  Result<ports::InsertLaunch::Answer> carry_out(const ports::InsertLaunch& insert);
  Result<ports::RecordLaunch::Answer> carry_out(const ports::RecordLaunch& record);
  Result<ports::MoveWorker::Answer> carry_out(const ports::MoveWorker& move);
  Result<ports::PutPool::Answer> carry_out(const ports::PutPool& put);
  const Clock& clock_;
};

}  // namespace drover::reconcile::testing
