#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "connection.hpp"

namespace drover::postgres {

// Connections for reads, opened when needed and replaced when lost. Thread-safe; a caller waits while all are
// in use. When connecting timed out, those who come within the next half second are told so at once: a server
// that hangs costs its time-out once, not once for everybody who waits.
class ReadPool {
 public:
  ReadPool(SessionOptions options, int size)
      : options_(std::move(options)), free_slots_(size < 1 ? 1 : size) {}

  Result<Rows> run(std::string_view query, const Params& params = {});
  // In one transaction that sees one state.
  Result<std::vector<Rows>> snapshot(std::span<const Statement> statements);

 private:
  Result<std::vector<Rows>> run_all(std::span<const Statement> statements);
  Result<std::unique_ptr<Connection>> take(bool& fresh);
  Result<std::unique_ptr<Connection>> open();
  void give_back(std::unique_ptr<Connection> connection);

  SessionOptions options_;
  std::mutex mutex_;
  std::condition_variable freed_;
  int free_slots_;
  std::vector<std::unique_ptr<Connection>> idle_;
  std::optional<Error> refused_;  // by the last try to connect
  std::chrono::steady_clock::time_point refused_until_;
};

}  // namespace drover::postgres
