#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/limits.hpp"
#include "drover/engine/engine.hpp"
#include "drover/ports/artifact_store.hpp"
#include "drover/ports/reads.hpp"
#include "drover/services/principal.hpp"

namespace drover::services {

struct WorkerFilter {
  std::optional<core::WorkerState> state;
  std::optional<WorkerId> before;  // numbers below this: the list runs newest first
  int limit = limits::kPageRowsDefault;
};
struct WorkerSeen {
  ports::WorkerRow row;
  std::optional<int> running;  // jobs that it runs; absent: this daemon does not lead
};
struct WorkerPage {
  std::vector<WorkerSeen> workers;
  std::optional<WorkerId> next;  // there may be more before this one
};

// The calls of people about workers, and those of workers. Thread-safe. Those with a Done return at once, as
// the engine's do, unless "blocks" is said; all others block on the store or on files.
class Workers {
 public:
  virtual ~Workers() = default;

  // ---- for people
  virtual Result<WorkerPage> list(const Principal& who, const WorkerFilter& filter) = 0;
  // By instance id or number.
  virtual Result<WorkerSeen> get(const Principal& who, const std::string& name) = 0;
  virtual void move(const Principal& who, const std::string& name, core::WorkerMove move,
                    engine::Done<ports::MoveWorker::Answer> done) = 0;  // blocks

  // ---- for machines that start
  // Whether a launch has this bootstrap token; unauthenticated otherwise.
  virtual Status admit_machine(std::string_view bootstrap_token) = 0;
  virtual void register_worker(const engine::Registration& registration,
                               engine::Done<engine::Registered> done) = 0;

  // ---- for workers Whether the token is this worker's, by what was last committed. Does not block.
  [[nodiscard]] virtual Status admit(const Worker& who) const = 0;
  virtual void claim(engine::ClaimRequest request, engine::Done<engine::ClaimAnswer> done) = 0;
  // To be called when the answer of a claim could not be written to the end: its jobs are given back, see
  // engine::Engine::unclaim.
  virtual void not_delivered(const std::vector<engine::Delivery>& deliveries) = 0;
  virtual void heartbeat(engine::Heartbeat heartbeat, engine::Done<engine::HeartbeatAnswer> done) = 0;
  virtual void report(engine::Report report, engine::Done<engine::ReportAnswer> done) = 0;

  // ---- for attempts
  // Whether it is the open attempt of that worker; stale otherwise.
  virtual void admit(Attempt who, engine::Done<ports::OpenAttempt> done) = 0;
  // Appends to a log of an attempt that was admitted, and answers the new size of the log. conflict: see
  // ports::ArtifactStore::append_log.
  virtual Result<std::int64_t> append_log(const ports::OpenAttempt& attempt, std::string_view stream,
                                          std::int64_t offset, std::string_view data) = 0;
  // Keeps the file at `spooled`, of `size` bytes, as an artifact or as the checkpoint. The bytes are stored
  // first, then the row that lists them, so that no row is ever without its bytes. Blocks.
  virtual void keep_file(const Attempt& who, const std::string& name, const std::string& spooled,
                         std::int64_t size, engine::Done<Sha256> done) = 0;
};

// The arguments must outlive the answer.
std::unique_ptr<Workers> make_workers(engine::Engine& engine, ports::Reads& reads,
                                      ports::ArtifactStore& artifacts, const Clock& clock);

}  // namespace drover::services
