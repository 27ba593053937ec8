#include "data.hpp"

#include <algorithm>

namespace drover::memstore {

Job* Data::job(JobNumber number) {
  const auto found = jobs.find(number);
  return found == jobs.end() ? nullptr : &found->second;
}

const Lease* Data::lease(JobNumber number) const {
  const auto found = leases.find(number);
  return found == leases.end() ? nullptr : &found->second;
}

bool Data::is_leased(WorkerId worker) const {
  return std::ranges::any_of(leases, [&](const auto& entry) { return entry.second.worker == worker; });
}

std::map<PoolId, Pool>::iterator Data::pool(const std::string& name) {
  return std::ranges::find_if(pools, [&](const auto& entry) { return entry.second.spec.name == name; });
}

ports::WorkerRow Data::worker_row(WorkerId id) const {
  ports::WorkerRow row = workers.at(id);
  if (const auto pool = pools.find(row.pool); pool != pools.end()) {
    row.pool_name = pool->second.spec.name;
    row.queues = core::queues_of(pool->second.spec);
  }
  return row;
}

ports::OpenAttempt Data::open_attempt(JobNumber number) const {
  const Job& job = jobs.at(number);
  ports::OpenAttempt out;
  out.job = number;
  out.id = job.id;
  out.attempt = job.attempts;
  out.queue = job.spec.queue;
  out.name = job.spec.name;
  out.rank = -job.spec.priority;
  out.task = job.spec.task;
  out.retry = job.spec.retry;
  out.counters = job.counters;
  out.timeout = job.spec.timeout;
  out.infra_workers = job.infra_workers;
  out.alone = job.alone;
  out.charges = job.charges;
  out.returns = job.returns;
  const auto kept = artifacts.find({number, std::string(ports::kCheckpointName)});
  if (kept != artifacts.end() && !kept->second.empty()) {
    out.has_checkpoint = true;
    out.checkpoint_attempt = kept->second.rbegin()->first;
  }
  if (const Lease* held = lease(number)) {
    out.attempt = held->attempt;
    out.worker = held->worker;
    out.nonce = held->nonce;
    out.token_hash = held->token_hash;
    out.started = held->started;
    out.wanted = held->wanted;
  }
  return out;
}

Status check_text(std::string_view text) {
  if (text.find('\0') == std::string_view::npos) return Ok{};
  return Error{Errc::data, "invalid byte sequence for encoding \"UTF8\": 0x00", {}, "22021"};
}

}  // namespace drover::memstore
