#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

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
  // For one more the connection that has been silent longest is closed, or the new one is answered 503.
  std::size_t max_connections = limits::kConnections;
  // Of all bodies that are being received into memory; a request beyond it is answered 503.
  std::int64_t max_buffered_bytes = 256 * 1024 * 1024;
  // The lesser of this and half of max_connections, but at least 1, is the limit; further streams get 503.
  std::size_t max_streams = limits::kStreams;
  // Queued by all streams; see http::Stream::send.
  std::int64_t max_streamed_bytes = limits::kStreamsQueueBytes;
  Seconds header_time = limits::kHeaderTime;
  Seconds body_time = limits::kBodyTime;
  Seconds idle_time = limits::kIdleTime;
  Seconds write_time = limits::kWriteTime;
};

// An HTTP/1.1 server over a Handler. start() binds and returns (once; Errc::invalid for an address or
// directory that cannot be used, Errc::unavailable for a port that is taken); stop() refuses new connections,
// lets requests in flight finish for at most `grace`, then closes; afterwards the handler is not called
// again, and a Reply still held answers nobody. A stream that was not ended is broken off at once, and its
// peer gets only what it takes without waiting; one that was ended counts as a request in flight. The
// destructor stops without grace. Thread-safe, but stop() and the destructor must not run on a thread of the
// server (in a handler or a done callback). A reply has no time limit of its own, nor has a stream while its
// producer has nothing to send. A body or a response that moves less than 1 KiB a second is cut off after
// body_time or write_time. The address is IPv4 or IPv6. Two transports implement it, and tests/conformance
// runs over both; Boost.Beast keeps all of this, cpprestsdk what is not listed in
// tests/conformance/known_failures.cpp.
class Server {
 public:
  virtual ~Server() = default;
  virtual Status start() = 0;
  virtual void stop(Millis grace) = 0;
  [[nodiscard]] virtual std::uint16_t port() const = 0;  // after start
};

enum class TransportKind { beast, cpprest };
std::optional<TransportKind> parse_transport(std::string_view name);  // "beast", "cpprest"

std::unique_ptr<Server> make_beast_server(ServerOptions options, http::Handler& handler);
// cpprestsdk's http_listener. All such servers of a process share one pool of as many threads as there are
// cores, or `threads` of the first if that is more. It ignores the options' limits of time and of
// connections.
std::unique_ptr<Server> make_cpprest_server(ServerOptions options, http::Handler& handler);
// One of the two; cpprestsdk with a warning in the log.
std::unique_ptr<Server> make_server(TransportKind kind, ServerOptions options, http::Handler& handler);

}  // namespace drover::transport
