#pragma once

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>  // before Asio 1.74, which misses it
#include <vector>

#include <boost/asio/io_context.hpp>

#include "drover/transport/server.hpp"

#include "body.hpp"
#include "stream_pipe.hpp"

namespace drover::transport {

class Connection;

// What all connections of one server share. Each holds it, so that a Reply kept beyond the server's end still
// finds the event loop its socket belonged to.
class Shared {
 public:
  Shared(ServerOptions server_options, http::Handler& request_handler)
      : options(std::move(server_options)),
        handler(request_handler),
        budget(options.max_buffered_bytes),
        streams(std::min(options.max_streams, std::max<std::size_t>(1, options.max_connections / 2)),
                options.max_streamed_bytes) {}

  const ServerOptions options;
  http::Handler& handler;
  boost::asio::io_context context;
  BodyBudget budget;
  StreamRoom streams;

  [[nodiscard]] bool has_room() const;
  // Closes the connection that has been silent for longest, so that idle connections cannot keep out new
  // ones. False: all have a request under way, or had one a moment ago.
  bool make_room();
  // False once stopping: the connection must go.
  bool add(const std::shared_ptr<Connection>& connection);
  void remove(const Connection* connection);
  [[nodiscard]] bool stopping() const { return stopping_.load(); }
  // From here on add() refuses. Returns those there are.
  std::vector<std::shared_ptr<Connection>> begin_stopping();
  [[nodiscard]] std::vector<std::shared_ptr<Connection>> connections() const;
  // False if some were left at the end of the time.
  bool wait_until_empty(Millis time) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable emptied_;
  std::unordered_map<const Connection*, std::weak_ptr<Connection>> connections_;
  std::atomic<bool> stopping_{false};
};

}  // namespace drover::transport
