#pragma once

#include <mutex>
#include <string>
#include <unordered_map>

#include "drover/engine/engine.hpp"
#include "drover/ports/rows.hpp"

namespace drover::engine {

[[nodiscard]] Error unknown_worker();

// A copy of the workers' token hashes, for callers on other threads than the engine's. Thread-safe.
class WorkerTokens {
 public:
  // A term of leadership begins: no worker is known yet.
  void open();
  // The term is over: every check is answered with `why`.
  void close(const Error& why);
  // A worker as it is now.
  void put(const ports::WorkerRow& row);
  // unauthenticated: unknown worker or token; otherwise what close() was told.
  [[nodiscard]] Status check(const WorkerAuth& auth) const;

 private:
  mutable std::mutex mutex_;
  Status open_ = unavailable("starting", 1);
  std::unordered_map<WorkerId, Sha256> hashes_;
};

}  // namespace drover::engine
