#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "drover/base/limits.hpp"
#include "drover/base/result.hpp"
#include "drover/http/message.hpp"

namespace drover::transport {

struct ServerOptions {
  std::string address = "127.0.0.1";  // or "::1", "0.0.0.0", …
  std::uint16_t port = 0;             // 0: any; see Server::port
  int threads = 2;
  std::string spool_directory;         // for routes that spool; must exist and be writable
  std::string server_name = "drover";  // the Server header
  std::size_t max_header_bytes = limits::kHeaderBytes;
  std::size_t max_connections = limits::kConnections;  // beyond it a connection gets 503 and is closed
  std::int64_t max_buffered_bytes =
      256 * 1024 * 1024;  // of bodies arriving into memory, all connections; beyond: 503
  Seconds header_time = limits::kHeaderTime;
  Seconds body_time = limits::kBodyTime;
  Seconds idle_time = limits::kIdleTime;
  Seconds write_time = limits::kWriteTime;
};

// An HTTP/1.1 server over a Handler. start() binds and returns (once; Errc::invalid for an address or
// directory that cannot be, Errc::unavailable for a port that is taken); stop() refuses new connections, lets
// requests in flight finish for at most `grace`, then closes; afterwards the handler is not called again, and
// a Reply still held answers nobody. The destructor stops without grace. Thread-safe, but stop() and the
// destructor must not run on a thread of the server (in a handler or a done callback). A reply has no time
// limit of its own. A body or a response that moves less than 1 KiB a second is cut off after body_time or
// write_time. Two transports implement it; this one is Boost.Beast.
class Server {
 public:
  virtual ~Server() = default;
  virtual Status start() = 0;
  virtual void stop(Millis grace) = 0;
  [[nodiscard]] virtual std::uint16_t port() const = 0;  // after start
};

std::unique_ptr<Server> make_beast_server(ServerOptions options, http::Handler& handler);

}  // namespace drover::transport
