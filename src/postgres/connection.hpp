#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drover/base/result.hpp"
#include "drover/base/secret.hpp"

#include "wire.hpp"

struct pg_conn;

namespace drover::postgres {

struct SessionOptions {
  Secret conninfo;
  std::string application_name = "drover";
  Millis statement_timeout{0};  // 0: none
  Millis idle_timeout{0};       // the server ends the session after this silence; 0: never
  bool read_only = false;
  bool primary = false;          // of several hosts in the connection string, only the primary
  Millis reply_timeout{30'000};  // no reply for this long: the connection counts as lost
};

struct Statement {
  std::string_view name;  // of a prepared query; with `text`, the SQL itself (BEGIN)
  Params params = {};
  bool text = false;
};

// The SQL of src/postgres/queries/<name>.sql; empty when there is none.
std::string_view query_text(std::string_view name);

// One session. Never reconnects. Every wait is bounded; a connection that was lost or gave no reply in time
// is broken() for ever. One thread at a time.
class Connection {
 public:
  // Connects and makes the session's settings.
  static Result<std::unique_ptr<Connection>> open(const SessionOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Prepares all queries whose names start with `prefix`.
  Status prepare(std::string_view prefix);
  Result<Rows> run(std::string_view prepared, const Params& params = {});
  // An embedded query, not prepared.
  Result<Rows> run_once(std::string_view query, const Params& params = {});
  // Runs SQL as text: BEGIN and the like, or a migration of many statements, which the server runs as one
  // transaction unless they say otherwise.
  Result<Rows> script(std::string_view sql);
  // The two halves of script(): what is sent, and its last result or first error.
  Status send_script(std::string_view sql);
  Result<Rows> reply();
  // All statements in one round trip. The first error is the answer; what follows it was not run.
  Result<std::vector<Rows>> pipeline(std::span<const Statement> statements);

  // From now on: no whole reply for this long, and the connection counts as lost.
  void wait_at_most(Millis reply_timeout) { reply_timeout_ = reply_timeout; }

  // From now on every wait ends within some tenths of a second after this becomes true, and the connection
  // counts as lost. For waits that may be long.
  void give_up_when(std::shared_ptr<const std::atomic<bool>> given_up) { given_up_ = std::move(given_up); }

  [[nodiscard]] bool broken() const { return broken_; }
  void shut();  // as if the network were lost

 private:
  explicit Connection(pg_conn* connection, Millis reply_timeout);
  using Deadline = std::chrono::steady_clock::time_point;
  Status send(const Statement& statement);
  Status flush(Deadline deadline);
  Result<pg_result*> next_result(Deadline deadline);
  Status wait(bool for_write, Deadline deadline);
  Status finish_pipeline(std::vector<Rows>& rows, std::size_t expected);
  Result<Rows> collect(std::string_view statement);
  Error lost(std::string why);
  Error error_of(const pg_result* result);

  pg_conn* connection_;
  Millis reply_timeout_;
  std::shared_ptr<const std::atomic<bool>> given_up_;
  bool broken_ = false;
};

}  // namespace drover::postgres
