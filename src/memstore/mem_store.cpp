#include "drover/memstore/mem_store.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <utility>

#include "drover/base/text.hpp"

#include "data.hpp"

namespace drover::memstore {

// The rows, and which session leads.
struct MemStore::Shared {
  mutable std::mutex mutex;
  Data data;
  Uuid deployment = make_random_uuid();
  std::string secret = std::string(64, '5');
  std::int64_t leader = 0;  // the number of the session that leads; 0: none
  std::int64_t sessions = 0;
  std::int64_t transactions = 0;
  std::map<std::string, ports::TransactionFate> fates;  // of those that were in doubt
  std::deque<std::optional<Fault>> faults;
};

namespace {

Error gone() {
  return unavailable("the session is gone", 1);
}

template <std::size_t I>
Status carry_out_kind(Data& data, std::span<const ports::Change> batch,
                      std::vector<ports::Settled>& settled) {
  using C = ports::ChangeAt<I>;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const C* change = std::get_if<I>(&batch[i]);
    if (change == nullptr) continue;
    auto done = carry_out(data, *change);
    if (!done.ok() && done.error().code == Errc::data) return done.error();
    settled[i] = ports::settled<C>(std::move(done));
  }
  return Ok{};
}

// Each kind in the order of the list.
template <std::size_t... I>
Status carry_out_all(Data& data, std::span<const ports::Change> batch, std::vector<ports::Settled>& settled,
                     std::index_sequence<I...>) {
  Status done = Ok{};
  static_cast<void>(((done = carry_out_kind<I>(data, batch, settled)).ok() && ...));
  return done;
}

}  // namespace

class MemStore::Session final : public ports::LeaderSession {
 public:
  Session(std::shared_ptr<Shared> shared, std::int64_t number, std::int64_t epoch)
      : shared_(std::move(shared)), number_(number), epoch_(epoch) {}
  ~Session() override {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->leader == number_) shared_->leader = 0;
  }

  Result<ports::BootState> boot() override {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->leader != number_) return gone();
    const Data& data = shared_->data;
    ports::BootState out;
    out.deployment = shared_->deployment;
    out.deployment_secret = Secret(shared_->secret);
    out.paused = data.paused;
    out.epoch = data.epoch;
    for (const auto& [number, lease] : data.leases) out.open.push_back(data.open_attempt(number));
    for (const auto& [id, worker] : data.workers) {
      if (worker.state != core::WorkerState::gone) out.workers.push_back(data.worker_row(id));
    }
    for (const auto& [id, pool] : data.pools)
      out.pools.push_back({id, pool.spec, pool.version, pool.blocked_reason});
    for (const auto& [number, job] : data.jobs) {
      if (job.state != core::JobState::queued || !job.wake_at) continue;
      out.next_wake = out.next_wake ? std::min(*out.next_wake, *job.wake_at) : *job.wake_at;
    }
    for (const auto& [key, value] : data.settings) out.settings.emplace_back(key, value);
    return out;
  }

  Result<std::vector<ports::Settled>> commit(std::span<const ports::Change> batch) override {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->leader != number_ || shared_->data.epoch != epoch_) return gone();
    std::optional<Fault> fault;
    if (!shared_->faults.empty()) {
      fault = shared_->faults.front();
      shared_->faults.pop_front();
    }
    if (fault == Fault::storage_full) return storage_full("no space left on device");
    if (fault == Fault::lost) {
      shared_->leader = 0;
      return gone();
    }
    std::vector<ports::Settled> settled;
    for (const ports::Change& change : batch)
      settled.push_back(ports::refused(change, internal("not carried out")));
    Data next = shared_->data;
    if (Status done = carry_out_all(next, batch, settled, std::make_index_sequence<ports::kChanges>());
        !done.ok()) {
      return done.error();
    }
    if (fault != Fault::doubt_aborted) shared_->data = std::move(next);
    if (!fault) return settled;
    shared_->leader = 0;
    partial_ = std::move(settled);
    const std::string transaction = std::to_string(++shared_->transactions);
    shared_->fates[transaction] =
        fault == Fault::doubt_committed ? ports::TransactionFate::committed : ports::TransactionFate::aborted;
    return Error{Errc::commit_unknown, "the reply to COMMIT was lost", {}, transaction, 1};
  }
  std::vector<ports::Settled> take_partial() override { return std::exchange(partial_, {}); }

  Status give_back_numbers(JobNumber first, std::int64_t count) override {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->leader != number_) return gone();
    if (shared_->data.next_number == first.value + count) shared_->data.next_number = first.value;
    return Ok{};
  }
  Result<JobNumber> reserve_numbers(int count) override {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->leader != number_) return gone();
    const JobNumber first{shared_->data.next_number};
    shared_->data.next_number += count;
    return first;
  }

  Status ping() override {
    const std::lock_guard lock(shared_->mutex);
    return shared_->leader == number_ ? Status(Ok{}) : Status(gone());
  }

 private:
  std::shared_ptr<Shared> shared_;
  std::int64_t number_;
  std::int64_t epoch_;
  std::vector<ports::Settled> partial_;
};

MemStore::MemStore() : shared_(std::make_shared<Shared>()) {}
MemStore::~MemStore() = default;

void MemStore::plan_faults(std::vector<std::optional<Fault>> faults) {
  const std::lock_guard lock(shared_->mutex);
  shared_->faults.assign(faults.begin(), faults.end());
}

void MemStore::end_leader() {
  const std::lock_guard lock(shared_->mutex);
  shared_->leader = 0;
}

std::int64_t MemStore::events() const {
  const std::lock_guard lock(shared_->mutex);
  return static_cast<std::int64_t>(shared_->data.events.size());
}

std::string MemStore::picture() const {
  const std::lock_guard lock(shared_->mutex);
  const Data& data = shared_->data;
  std::string out;
  for (const auto& [number, job] : data.jobs) {
    out += "job " + std::to_string(number.value) + " " + std::string(to_string(job.state)) + " " +
           std::to_string(job.attempts) + " " + job.reason + "\n";
  }
  for (const auto& [number, lease] : data.leases) {
    out += "lease " + std::to_string(number.value) + "/" + std::to_string(lease.attempt) + " " +
           std::string(to_string(lease.wanted)) + " of " + std::to_string(lease.worker.value) + "\n";
  }
  for (const auto& [key, attempt] : data.attempts) {
    out += "attempt " + std::to_string(key.first.value) + "/" + std::to_string(key.second) + " " +
           std::string(to_string(attempt.outcome)) + "\n";
  }
  for (const auto& [id, worker] : data.workers) {
    out += "worker " + std::to_string(id.value) + " " + std::string(to_string(worker.state)) + "\n";
  }
  return out;
}

Result<std::unique_ptr<ports::LeaderSession>> MemStore::lead() {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->leader != 0) return conflict("another daemon leads");
  shared_->leader = ++shared_->sessions;
  return std::unique_ptr<ports::LeaderSession>(
      std::make_unique<Session>(shared_, shared_->leader, ++shared_->data.epoch));
}

class MemStore::Count final : public ports::DepthCount {
 public:
  explicit Count(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  Status begin() override {
    const std::lock_guard lock(shared_->mutex);
    for (const auto& [number, job] : shared_->data.jobs) {
      if (job.state != core::JobState::queued || job.wake_at) continue;
      if (shared_->data.lease(number) == nullptr) ++ready_[job.spec.queue];
    }
    return Ok{};
  }
  Result<std::vector<ports::QueueDepth>> result() override {
    if (cancelled_) return gone();
    std::vector<ports::QueueDepth> out;
    for (const auto& [queue, count] : ready_) out.push_back({queue, count});
    return out;
  }
  void cancel() override { cancelled_ = true; }

 private:
  std::shared_ptr<Shared> shared_;
  std::map<std::string, std::int64_t> ready_;
  std::atomic<bool> cancelled_ = false;
};

Result<std::unique_ptr<ports::DepthCount>> MemStore::open_count() {
  return std::unique_ptr<ports::DepthCount>(std::make_unique<Count>(shared_));
}

Result<ports::ReadyAnswer> MemStore::ready(const ports::ReadyQuestion& question) {
  const std::lock_guard lock(shared_->mutex);
  const Data& data = shared_->data;
  ports::ReadyAnswer out;
  out.epoch = data.epoch;
  for (const auto& [number, job] : data.jobs) {
    const core::ReadyKey key{-job.spec.priority, number.value};
    const bool ready = job.spec.queue == question.queue && job.state == core::JobState::queued &&
                       !job.wake_at && data.lease(number) == nullptr;
    const bool suspect = job.alone > Seconds{0};
    if (ready && suspect == question.suspects && (!question.after || *question.after < key))
      out.keys.push_back(key);
  }
  std::ranges::sort(out.keys);
  if (std::cmp_greater(out.keys.size(), question.limit))
    out.keys.resize(static_cast<std::size_t>(question.limit));
  return out;
}

Result<ports::TransactionFate> MemStore::resolve(const std::string& transaction_id) {
  const std::lock_guard lock(shared_->mutex);
  const auto found = shared_->fates.find(transaction_id);
  return found == shared_->fates.end() ? ports::TransactionFate::aborted : found->second;
}

namespace {

ports::JobRow row_of(const Data& data, JobNumber number, const Job& job) {
  ports::JobRow out;
  out.number = number;
  out.id = job.id;
  out.spec = job.spec;
  out.attempts = job.attempts;
  out.counters = job.counters;
  out.reason = job.reason;
  out.created = job.created;
  out.started = job.started;
  out.finished = job.finished;
  out.wake_at = job.wake_at;
  out.exit_code = job.exit_code;
  out.signal = job.signal;
  out.alone = job.alone;
  out.charges = job.charges;
  core::JobBrief brief{job.state};
  if (const Lease* lease = data.lease(number)) {
    brief = {job.state, true, lease->wanted};
    out.attempts = lease->attempt;
    out.started = lease->started;
    if (const auto worker = data.workers.find(lease->worker); worker != data.workers.end())
      out.worker = worker->second.instance_id;
  }
  out.state = core::visible_state(brief);
  return out;
}

ports::LaunchRow row_of(const Data& data, LaunchId id, const Launch& launch) {
  ports::LaunchRow out;
  out.id = id;
  out.pool = launch.pool;
  if (const auto pool = data.pools.find(launch.pool); pool != data.pools.end())
    out.pool_name = pool->second.spec.name;
  out.request = launch.request;
  out.state = launch.state;
  out.instances = static_cast<int>(
      std::ranges::count_if(data.workers, [&](const auto& entry) { return entry.second.launch == id; }));
  out.error = launch.error;
  out.created = launch.created;
  return out;
}

}  // namespace

Result<std::optional<ports::JobRow>> MemStore::job(JobNumber number) {
  const std::lock_guard lock(shared_->mutex);
  const auto found = shared_->data.jobs.find(number);
  if (found == shared_->data.jobs.end()) return std::optional<ports::JobRow>();
  return std::optional(row_of(shared_->data, number, found->second));
}

Result<std::vector<ports::JobRow>> MemStore::jobs(const ports::JobFilter& filter) {
  const std::lock_guard lock(shared_->mutex);
  std::vector<ports::JobRow> out;
  std::int64_t bytes = 0;
  const auto& jobs = shared_->data.jobs;
  for (auto it = jobs.rbegin(); it != jobs.rend() && std::cmp_less(out.size(), filter.limit); ++it) {
    if (filter.before && it->first >= *filter.before) continue;
    if (filter.queue && it->second.spec.queue != *filter.queue) continue;
    if (filter.name && it->second.spec.name != *filter.name) continue;
    ports::JobRow row = row_of(shared_->data, it->first, it->second);
    if (filter.state && row.state != *filter.state) continue;
    if (bytes >= filter.task_bytes) break;
    bytes += static_cast<std::int64_t>(row.spec.task.size());
    out.push_back(std::move(row));
  }
  return out;
}

Result<std::vector<ports::AttemptRow>> MemStore::attempts(JobNumber number) {
  const std::lock_guard lock(shared_->mutex);
  const Data& data = shared_->data;
  const auto instance = [&](WorkerId worker) {
    const auto found = data.workers.find(worker);
    return found == data.workers.end() ? std::string() : found->second.instance_id;
  };
  std::vector<ports::AttemptRow> out;
  for (const auto& [key, attempt] : data.attempts) {
    if (key.first != number) continue;
    out.push_back({number, key.second, attempt.worker, instance(attempt.worker), attempt.started,
                   attempt.ended, attempt.outcome, attempt.exit_code, attempt.signal, attempt.reason});
  }
  if (const Lease* lease = data.lease(number)) {
    out.push_back(
        {number, lease->attempt, lease->worker, instance(lease->worker), lease->started, {}, {}, {}, {}, ""});
  }
  return out;
}

Result<std::vector<ports::ArtifactRow>> MemStore::artifacts(JobNumber number, std::string_view after,
                                                            int limit) {
  const std::lock_guard lock(shared_->mutex);
  std::vector<ports::ArtifactRow> out;
  for (const auto& [key, by_attempt] : shared_->data.artifacts) {
    if (key.first != number || key.second <= after || key.second == ports::kCheckpointName) continue;
    if (std::cmp_greater_equal(out.size(), limit)) break;
    out.push_back(by_attempt.rbegin()->second);
  }
  return out;
}

Result<std::optional<ports::ArtifactRow>> MemStore::artifact(JobNumber number, std::string_view name) {
  const std::lock_guard lock(shared_->mutex);
  const auto found = shared_->data.artifacts.find({number, std::string(name)});
  if (found == shared_->data.artifacts.end()) return std::optional<ports::ArtifactRow>();
  return std::optional(found->second.rbegin()->second);
}

Result<std::vector<ports::WorkerRow>> MemStore::workers(bool with_gone, std::optional<WorkerId> before,
                                                        int limit) {
  const std::lock_guard lock(shared_->mutex);
  std::vector<ports::WorkerRow> out;
  const auto& workers = shared_->data.workers;
  for (auto it = workers.rbegin(); it != workers.rend() && std::cmp_less(out.size(), limit); ++it) {
    if (before && it->first >= *before) continue;
    if (!with_gone && it->second.state == core::WorkerState::gone) continue;
    out.push_back(shared_->data.worker_row(it->first));
  }
  return out;
}

Result<std::optional<ports::WorkerRow>> MemStore::worker(const std::string& instance_id_or_number) {
  const std::lock_guard lock(shared_->mutex);
  const auto number = parse_int(instance_id_or_number);
  const auto& workers = shared_->data.workers;
  for (auto it = workers.rbegin(); it != workers.rend(); ++it) {
    if (number ? it->first.value == *number : it->second.instance_id == instance_id_or_number)
      return std::optional(shared_->data.worker_row(it->first));
  }
  return std::optional<ports::WorkerRow>();
}

Result<std::vector<ports::PoolRow>> MemStore::pools() {
  const std::lock_guard lock(shared_->mutex);
  std::vector<ports::PoolRow> out;
  for (const auto& [id, pool] : shared_->data.pools)
    out.push_back({id, pool.spec, pool.version, pool.blocked_reason});
  std::ranges::sort(out, {}, [](const ports::PoolRow& row) { return row.spec.name; });
  return out;
}

Result<ports::FleetSnapshot> MemStore::fleet() {
  const std::lock_guard lock(shared_->mutex);
  ports::FleetSnapshot out;
  for (const auto& [id, worker] : shared_->data.workers) {
    if (worker.state != core::WorkerState::gone) out.workers.push_back(shared_->data.worker_row(id));
  }
  for (const auto& [id, launch] : shared_->data.launches) {
    if (launch.state == core::LaunchState::intended || launch.state == core::LaunchState::fulfilled)
      out.launches.push_back(row_of(shared_->data, id, launch));
  }
  return out;
}

Result<std::optional<ports::LaunchRow>> MemStore::launch_by_token(const Sha256& bootstrap_hash) {
  const std::lock_guard lock(shared_->mutex);
  for (const auto& [id, launch] : shared_->data.launches) {
    if (launch.bootstrap_hash == bootstrap_hash) return std::optional(row_of(shared_->data, id, launch));
  }
  return std::optional<ports::LaunchRow>();
}

}  // namespace drover::memstore
