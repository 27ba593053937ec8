#pragma once

#include <optional>
#include <string>

#include "drover/base/result.hpp"

#include "child.hpp"

namespace drover::cli {

// A PostgreSQL server of our own: reachable by this user alone, over a Unix socket. Started by root it runs
// as the user `postgres`, since the server refuses to run as root. Not thread-safe.
class PrivatePostgres {
 public:
  // `directory` is the development directory; it holds "postgres" (the data) and "log". Makes the cluster
  // when there is none. The errors say what to do.
  static Result<PrivatePostgres> open(const std::string& directory);

  // Starts the server and waits until it takes connections; makes the database when it is missing.
  Status start();
  // Has it ended by itself?
  std::optional<int> poll() { return server_ ? server_->poll() : std::nullopt; }
  void stop();
  [[nodiscard]] std::string conninfo() const;

 private:
  PrivatePostgres(std::string directory, std::string programs, std::optional<Account> account)
      : directory_(std::move(directory)), programs_(std::move(programs)), account_(std::move(account)) {}
  Status make_cluster();
  Status make_socket_directory();
  Status start_once();
  Status make_database();
  [[nodiscard]] std::string data() const { return directory_ + "/postgres"; }

  std::string directory_;
  std::string programs_;  // where initdb and postgres are
  std::optional<Account> account_;
  std::string sockets_;  // the directory of the socket
  std::optional<Child> server_;
};

}  // namespace drover::cli
