#include "worker_tokens.hpp"

namespace drover::engine {

Error unknown_worker() {
  return unauthenticated("unknown worker or token");
}

void WorkerTokens::open() {
  const std::lock_guard lock(mutex_);
  open_ = Ok{};
  hashes_.clear();
}

void WorkerTokens::close(const Error& why) {
  const std::lock_guard lock(mutex_);
  open_ = why;
  hashes_.clear();
}

void WorkerTokens::put(const ports::WorkerRow& row) {
  const std::lock_guard lock(mutex_);
  if (row.registered && row.state != core::WorkerState::gone) {
    hashes_.insert_or_assign(row.id, row.token_hash);
  } else {
    hashes_.erase(row.id);
  }
}

Status WorkerTokens::check(const WorkerAuth& auth) const {
  const std::lock_guard lock(mutex_);
  if (!open_.ok()) return open_;
  const auto found = hashes_.find(auth.worker);
  if (found != hashes_.end() && auth.token.is(found->second)) return Ok{};
  return unknown_worker();
}

}  // namespace drover::engine
