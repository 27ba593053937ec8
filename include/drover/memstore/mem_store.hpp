#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "drover/ports/store.hpp"

// The store in memory, for tests of what stands above a store. It passes the conformance suite that
// PostgreSQL passes, and the tests of the engine and of the reconciler run over it. What differs: nothing
// survives the process, nothing is fast, and a fulfilled launch stays open for ever, not for an hour.
namespace drover::memstore {

struct Data;

// How a commit is to fail. Each fault is used up by one commit.
enum class Fault {
  lost,             // the session is dead, and nothing was committed
  doubt_committed,  // the session is dead and the outcome unknown; it was committed …
  doubt_aborted,    // … or it was not
  storage_full,     // refused for want of room; the session goes on
};

// Thread-safe. Must outlive its sessions.
class MemStore final : public ports::Store {
 public:
  MemStore();
  ~MemStore() override;

  // The next commits fail with these, in this order; nullopt: the commit succeeds.
  void plan_faults(std::vector<std::optional<Fault>> faults);
  // The leader's session is lost, as when the server ends it. Another may lead.
  void end_leader();
  // All that is stored, as text that tells a change of any job, lease, attempt or worker by its state.
  [[nodiscard]] std::string picture() const;
  [[nodiscard]] std::int64_t events() const;  // how many there are

  Result<int> migrate() override { return 0; }
  Result<std::unique_ptr<ports::LeaderSession>> lead() override;
  Result<ports::TransactionFate> resolve(const std::string& transaction_id) override;
  Result<std::unique_ptr<ports::DepthCount>> open_count() override;
  Result<ports::ReadyAnswer> ready(const ports::ReadyQuestion& question) override;
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
  Result<ports::FleetSnapshot> fleet() override;
  Result<std::optional<ports::LaunchRow>> launch_by_token(const Sha256& bootstrap_hash) override;

 private:
  class Session;
  class Count;
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace drover::memstore
