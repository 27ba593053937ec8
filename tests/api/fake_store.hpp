#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "drover/engine/engine.hpp"
#include "drover/ports/artifact_store.hpp"
#include "drover/ports/metrics.hpp"
#include "drover/ports/store.hpp"

namespace drover::api {

// What the engine of a test (fake_engine.hpp) answers and has been asked.
struct EngineScript {
  bool late = false;  // answers from another thread, after the call has returned
  engine::EngineView view;
  std::optional<Error> error;  // answers every call
  Result<engine::ActAnswer> act = engine::ActAnswer{};
  Result<engine::Registered> registered = engine::Registered{};
  Result<engine::ClaimAnswer> claim = engine::ClaimAnswer{};
  Result<engine::HeartbeatAnswer> heartbeat = engine::HeartbeatAnswer{};
  Result<engine::ReportAnswer> report = engine::ReportAnswer{};
  Status known = Ok{};  // is the caller a worker
  Result<ports::OpenAttempt> checked = ports::OpenAttempt{};
  std::function<ports::Settled(const ports::Change&)> apply;  // absent: an empty answer
  engine::JobPlace place;

  std::vector<core::JobSpec> submitted;
  std::vector<ports::ActOnJob> acts;
  std::vector<engine::Registration> registrations;
  std::vector<engine::ClaimRequest> claims;
  std::vector<engine::Delivery> unclaimed;
  std::vector<engine::Heartbeat> heartbeats;
  std::vector<engine::Report> reports;
  std::vector<std::pair<std::string, std::string>> artifacts;  // name, attempt's token
  std::vector<ports::Change> applied;
};

class FakeStore final : public ports::Store {
 public:
  EngineScript engine;

  std::map<std::int64_t, ports::JobRow> job_rows;
  std::vector<ports::AttemptRow> attempt_rows;
  std::vector<ports::ArtifactRow> artifact_rows;
  std::vector<ports::WorkerRow> worker_rows;  // newest first
  std::vector<ports::PoolRow> pool_rows;
  std::map<std::string, ports::LaunchRow> launches;  // by bootstrap token
  std::optional<Error> read_error;
  ports::JobFilter last_filter;
  std::mutex filter_mutex;            // while threads write it
  std::function<void()> before_jobs;  // called by jobs(), on the caller's thread

  Result<int> migrate() override { return 0; }
  Result<std::unique_ptr<ports::LeaderSession>> lead() override {
    return Error{Errc::conflict, "not in this test"};
  }
  Result<ports::TransactionFate> resolve(const std::string&) override {
    return ports::TransactionFate::aborted;
  }
  Result<std::unique_ptr<ports::DepthCount>> open_count() override {
    return Error{Errc::unavailable, "nothing is counted here", {}, {}, 1};
  }
  Result<ports::ReadyAnswer> ready(const ports::ReadyQuestion&) override { return ports::ReadyAnswer{}; }
  Status make_partitions(WallTime) override { return Ok{}; }
  Result<std::optional<ports::JobRow>> job(JobNumber number) override;
  Result<std::vector<ports::JobRow>> jobs(const ports::JobFilter& filter) override;
  Result<std::vector<ports::AttemptRow>> attempts(JobNumber number) override;
  Result<std::vector<ports::ArtifactRow>> artifacts(JobNumber number, std::string_view after,
                                                    int limit) override;
  Result<std::optional<ports::ArtifactRow>> artifact(JobNumber number, std::string_view name) override;
  Result<std::vector<ports::WorkerRow>> workers(bool with_gone, std::optional<WorkerId> before,
                                                int limit) override;
  Result<std::optional<ports::WorkerRow>> worker(const std::string& instance_id_or_number) override;
  Result<std::vector<ports::PoolRow>> pools() override;
  Result<ports::FleetSnapshot> fleet() override { return ports::FleetSnapshot{}; }
  Result<std::optional<ports::LaunchRow>> launch_by_token(const Sha256& bootstrap_hash) override;
};

// Files in a directory of its own.
class FakeArtifacts final : public ports::ArtifactStore {
 public:
  FakeArtifacts();
  ~FakeArtifacts() override;
  FakeArtifacts(const FakeArtifacts&) = delete;
  FakeArtifacts& operator=(const FakeArtifacts&) = delete;

  Status check_marker(const Uuid&) override { return Ok{}; }
  [[nodiscard]] std::string spool_directory() const override { return root_; }
  Result<Sha256> put(JobNumber job, int attempt, std::string_view name, const std::string& spooled) override;
  Result<ports::StoredFile> get(JobNumber job, int attempt, std::string_view name) override;
  Result<std::int64_t> append_log(JobNumber job, int attempt, std::string_view stream, std::int64_t offset,
                                  std::string_view data) override;
  Result<ports::StoredFile> log(JobNumber job, int attempt, std::string_view stream) override;

 private:
  [[nodiscard]] std::string path(JobNumber job, int attempt, std::string_view name) const;
  std::string root_;
};

class FakeMetrics final : public ports::Metrics {
 public:
  void describe(std::string_view, std::string_view) override {}
  void add(std::string_view, double, ports::MetricLabels) override {}
  void set(std::string_view gauge, double value, ports::MetricLabels labels) override;
  void replace(std::string_view gauge, const std::vector<ports::GaugeSample>& series) override;
  void observe(std::string_view, double, ports::MetricLabels) override {}
  std::string render() override;

 private:
  std::mutex mutex_;
  std::map<std::string, double> values_;
};

class FakeClock final : public Clock {
 public:
  WallTime now{std::chrono::sys_days{std::chrono::year{2030} / 1 / 2}};
  SteadyTime ticks{Seconds{1000}};
  [[nodiscard]] WallTime wall() const override { return now; }
  [[nodiscard]] SteadyTime steady() const override { return ticks; }
};

std::string read_whole(const std::string& path);

}  // namespace drover::api
