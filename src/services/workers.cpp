#include "drover/services/workers.hpp"

#include <map>
#include <utility>

#include <fmt/format.h>

namespace drover::services {
namespace {

using Running = std::map<std::int64_t, int>;  // worker → jobs that it runs

// Absent while this daemon does not lead, since its memory is out of date then.
std::optional<Running> running_in(const engine::EngineView& view) {
  if (!view.leading) return std::nullopt;
  Running running;
  for (const engine::WorkerView& worker : view.workers) running[worker.id.value] = worker.leases;
  return running;
}

WorkerSeen seen(ports::WorkerRow row, const std::optional<Running>& running) {
  WorkerSeen out{std::move(row), {}};
  if (running) {
    const auto found = running->find(out.row.id.value);
    out.running = found == running->end() ? 0 : found->second;
  }
  return out;
}

class EngineWorkers final : public Workers {
 public:
  EngineWorkers(engine::Engine& engine, ports::Reads& reads, ports::ArtifactStore& artifacts,
                const Clock& clock)
      : engine_(engine), reads_(reads), artifacts_(artifacts), clock_(clock) {}

  Result<WorkerPage> list(const Principal& who, const WorkerFilter& filter) override;
  Result<WorkerSeen> get(const Principal& who, const std::string& name) override;
  void move(const Principal& who, const std::string& name, core::WorkerMove move,
            engine::Done<ports::MoveWorker::Answer> done) override;

  Status admit_machine(std::string_view bootstrap_token) override;
  void register_worker(const engine::Registration& registration,
                       engine::Done<engine::Registered> done) override {
    engine_.register_worker(registration, std::move(done));
  }

  [[nodiscard]] Status admit(const Worker& who) const override { return engine_.check_worker(who); }
  void claim(engine::ClaimRequest request, engine::Done<engine::ClaimAnswer> done) override {
    engine_.claim(std::move(request), std::move(done));
  }
  void not_delivered(const std::vector<engine::Delivery>& deliveries) override {
    engine_.unclaim(deliveries);
  }
  void heartbeat(engine::Heartbeat heartbeat, engine::Done<engine::HeartbeatAnswer> done) override {
    engine_.heartbeat(std::move(heartbeat), std::move(done));
  }
  void report(engine::Report report, engine::Done<engine::ReportAnswer> done) override {
    engine_.report(std::move(report), std::move(done));
  }

  void admit(Attempt who, engine::Done<ports::OpenAttempt> done) override {
    engine_.check_attempt(std::move(who.worker), std::move(who.attempt), std::move(done));
  }
  Result<std::int64_t> append_log(const ports::OpenAttempt& attempt, std::string_view stream,
                                  std::int64_t offset, std::string_view data) override {
    return artifacts_.append_log(attempt.job, attempt.attempt, stream, offset, data);
  }
  void keep_file(const Attempt& who, const std::string& name, const std::string& spooled, std::int64_t size,
                 engine::Done<Sha256> done) override;

 private:
  Result<ports::WorkerRow> read(const Principal& who, const std::string& name);

  engine::Engine& engine_;
  ports::Reads& reads_;
  ports::ArtifactStore& artifacts_;
  const Clock& clock_;
};

Result<WorkerPage> EngineWorkers::list(const Principal& who, const WorkerFilter& filter) {
  if (const Status allowed = may_operate(who); !allowed.ok()) return allowed.error();
  const std::optional<Running> running = running_in(*engine_.shown());
  const bool with_gone = filter.state == core::WorkerState::gone;
  Result<std::vector<ports::WorkerRow>> rows = reads_.workers(with_gone, filter.before, filter.limit);
  if (!rows.ok()) return rows.error();
  WorkerPage page;
  if (static_cast<int>(rows->size()) >= filter.limit) page.next = rows->back().id;
  for (ports::WorkerRow& row : *rows) {
    if (!filter.state || row.state == *filter.state) page.workers.push_back(seen(std::move(row), running));
  }
  return page;
}

Result<WorkerSeen> EngineWorkers::get(const Principal& who, const std::string& name) {
  const std::optional<Running> running = running_in(*engine_.shown());
  Result<ports::WorkerRow> row = read(who, name);
  if (!row.ok()) return row.error();
  return seen(std::move(*row), running);
}

void EngineWorkers::move(const Principal& who, const std::string& name, core::WorkerMove move,
                         engine::Done<ports::MoveWorker::Answer> done) {
  const Result<ports::WorkerRow> row = read(who, name);
  if (!row.ok()) return done(row.error());
  engine_.apply(ports::MoveWorker{row->id, move, "asked for by an operator", clock_.wall()}, std::move(done));
}

Result<ports::WorkerRow> EngineWorkers::read(const Principal& who, const std::string& name) {
  if (const Status allowed = may_operate(who); !allowed.ok()) return allowed.error();
  Result<std::optional<ports::WorkerRow>> row = reads_.worker(name);
  if (!row.ok()) return row.error();
  if (!row->has_value()) return not_found(fmt::format("there is no worker {}", name));
  return std::move(**row);
}

Status EngineWorkers::admit_machine(std::string_view bootstrap_token) {
  const Result<std::optional<ports::LaunchRow>> launch = reads_.launch_by_token(sha256(bootstrap_token));
  if (!launch.ok()) return launch.error();
  if (launch->has_value()) return Ok{};
  return unauthenticated("this bootstrap token is not known");
}

void EngineWorkers::keep_file(const Attempt& who, const std::string& name, const std::string& spooled,
                              std::int64_t size, engine::Done<Sha256> done) {
  const Result<Sha256> hash = artifacts_.put(who.attempt.job, who.attempt.attempt, name, spooled);
  if (!hash.ok()) return done(hash.error());
  engine_.put_artifact(who.worker, who.attempt, name, size, *hash,
                       [hash = *hash, done = std::move(done)](const Status& put) {
                         put.ok() ? done(hash) : done(put.error());
                       });
}

}  // namespace

std::unique_ptr<Workers> make_workers(engine::Engine& engine, ports::Reads& reads,
                                      ports::ArtifactStore& artifacts, const Clock& clock) {
  return std::make_unique<EngineWorkers>(engine, reads, artifacts, clock);
}

}  // namespace drover::services
