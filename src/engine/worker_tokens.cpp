#include "worker_tokens.hpp"

namespace drover::engine {

bool is_token(const Sha256& hash, const Secret& token) {
  const Sha256 given = sha256(token.reveal());
  const auto bytes = [](const Sha256& of) {
    return std::string_view(reinterpret_cast<const char*>(of.data()), of.size());
  };
  return equal_constant_time(bytes(given), bytes(hash));
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
  if (!open_) return open_;
  const auto found = hashes_.find(auth.worker);
  if (found != hashes_.end() && is_token(found->second, auth.token)) return Ok{};
  return Error{Errc::unauthenticated, "unknown worker or token"};
}

}  // namespace drover::engine
