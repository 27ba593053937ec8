#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "drover/base/result.hpp"
#include "drover/ports/changes.hpp"
#include "drover/ports/rows.hpp"

namespace drover::ports {

// What the engine's memory is built from at the start of a term of leadership.
struct BootState {
  std::vector<OpenAttempt> open;
  std::vector<WorkerRow> workers;  // all but gone
  std::vector<PoolRow> pools;
  std::optional<WallTime> next_wake;
  bool paused = false;
  std::vector<std::pair<std::string, std::string>> settings;  // the tunables: key → JSON text
  Uuid deployment;
  Secret deployment_secret;
  std::int64_t epoch = 0;
};

// The leader's connection. Holds leadership (an advisory lock) for its whole life, never reconnects: losing
// the connection is losing leadership, and every later call answers unavailable. One thread at a time.
class LeaderSession {
 public:
  virtual ~LeaderSession() = default;
  virtual Result<BootState> boot() = 0;
  // One transaction; how each change went, in the order of `batch`. At most one change per key in a batch. An
  // Error means that nothing is known to be committed: `data` (rolled back: rerun in halves), `unavailable`
  // (the session is dead, and nothing was committed), `commit_unknown` (the session is dead; detail =
  // transaction id, see Leadership::resolve). take_partial() then says how each went if it did commit.
  virtual Result<std::vector<Settled>> commit(std::span<const Change> batch) = 0;
  virtual std::vector<Settled> take_partial() = 0;
  // First of `count` consecutive numbers that nobody else gets. Numbers of a crashed daemon are skipped.
  virtual Result<JobNumber> reserve_numbers(int count) = 0;
  // Reserved numbers that were not used are the next to be reserved again, if they are the last that were;
  // otherwise nothing happens, and they are skipped.
  virtual Status give_back_numbers(JobNumber first, std::int64_t count) = 0;
  // Keeps the session from idling out. Called every third of the takeover time.
  virtual Status ping() = 0;
};

enum class TransactionFate { committed, aborted, in_progress };

// How a daemon comes to lead. Blocking, thread-safe.
class Leadership {
 public:
  virtual ~Leadership() = default;
  // Becomes leader or answers conflict when another is ("another daemon leads"). Raises leader.epoch.
  virtual Result<std::unique_ptr<LeaderSession>> lead() = 0;
  // What became of a transaction whose COMMIT reply was lost. While it is in progress its backend is ended
  // first.
  virtual Result<TransactionFate> resolve(const std::string& transaction_id) = 0;
};

}  // namespace drover::ports
