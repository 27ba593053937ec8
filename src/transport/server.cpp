#include "drover/transport/server.hpp"

#include <thread>
#include <utility>  // before Asio 1.74, which misses it

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drover/base/log.hpp"
#include "drover/base/thread_name.hpp"
#include "drover/http/problem.hpp"

#include "connection.hpp"
#include "render.hpp"

namespace drover::transport {

namespace asio = boost::asio;
using asio::ip::tcp;
using Socket = Connection::Socket;
using boost::system::error_code;

namespace {

constexpr Millis kAcceptPause{100};  // before the next try when no descriptor is left

void set_option(const Socket& socket, int level, int name, int value) {
  // Best effort: a connection without it works too.
  ::setsockopt(const_cast<Socket&>(socket).native_handle(), level, name, &value, sizeof value);
}

// Keepalive probes notice a peer that vanished without closing, as a spot machine does, while a reply is
// pending.
void tune(const Socket& socket) {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

class BeastServer final : public Server {
 public:
  BeastServer(ServerOptions options, http::Handler& handler)
      : shared_(std::make_shared<Shared>(std::move(options), handler)),
        work_(asio::make_work_guard(shared_->context)),
        acceptor_(asio::make_strand(shared_->context)),
        pause_(acceptor_.get_executor()) {}
  BeastServer(const BeastServer&) = delete;
  BeastServer& operator=(const BeastServer&) = delete;
  ~BeastServer() override { stop(Millis(0)); }

  Status start() override;
  void stop(Millis grace) override;
  [[nodiscard]] std::uint16_t port() const override { return port_; }

 private:
  Status listen();
  void accept();
  void on_accept(error_code ec, Socket& socket);
  void admit(Socket socket);
  void turn_away(Socket& socket);
  void run();

  std::shared_ptr<Shared> shared_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  bool accept_failing_ = false;
  std::uint16_t port_ = 0;
  std::mutex stop_mutex_;
  std::vector<std::thread> threads_;
};

Status BeastServer::start() {
  if (const Status status = listen(); !status.ok()) return status;
  asio::post(acceptor_.get_executor(), [this] { accept(); });
  for (int i = 0; i < std::max(1, shared_->options.threads); ++i) threads_.emplace_back([this] { run(); });
  return Ok{};
}

Status BeastServer::listen() {
  const ServerOptions& options = shared_->options;
  if (!options.spool_directory.empty() && ::access(options.spool_directory.c_str(), W_OK | X_OK) != 0) {
    return invalid("spool_directory",
                   fmt::format("The directory {} cannot be written to.", options.spool_directory));
  }
  error_code ec;
  const asio::ip::address address = asio::ip::make_address(options.address, ec);
  if (ec) return invalid("address", fmt::format("'{}' is not an IP address.", options.address));
  const tcp::endpoint endpoint(address, options.port);
  acceptor_.open(endpoint.protocol(), ec);
  if (!ec) acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor_.bind(endpoint, ec);
  if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
  if (!ec) port_ = acceptor_.local_endpoint(ec).port();
  if (!ec) return Ok{};
  error_code ignored;
  acceptor_.close(ignored);
  return unavailable(
      fmt::format("Cannot listen on {} port {}: {}.", options.address, options.port, ec.message()));
}

void BeastServer::accept() {
  const auto socket = std::make_shared<Socket>(asio::make_strand(shared_->context));
  acceptor_.async_accept(*socket, [this, socket](error_code ec) { on_accept(ec, *socket); });
}

void BeastServer::on_accept(error_code ec, Socket& socket) {
  if (shared_->stopping() || !acceptor_.is_open()) return;
  if (ec && ec != asio::error::connection_aborted) {
    if (!accept_failing_) log_error("connections cannot be accepted: {}", ec.message());
    accept_failing_ = true;
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([this](error_code cancelled) {
      if (!cancelled && acceptor_.is_open()) accept();
    });
    return;
  }
  accept_failing_ = false;
  try {
    if (!ec) admit(std::move(socket));
  } catch (const std::exception& error) {
    log_error("a connection could not be taken: {}", error.what());
  }
  accept();
}

void BeastServer::admit(Socket socket) {
  error_code ec;
  const tcp::endpoint peer = socket.remote_endpoint(ec);
  if (ec) return;  // gone already
  tune(socket);
  socket.native_non_blocking(true, ec);
  if (!shared_->has_room() && !shared_->make_room()) return turn_away(socket);
  const auto connection =
      std::make_shared<Connection>(shared_, std::move(socket), peer.address().to_string());
  if (shared_->add(connection)) connection->start();
}

// Answers 503 to a connection for which there is no room. There is one try, which waits for nothing.
void BeastServer::turn_away(Socket& socket) {
  http::Response response = http::problem(unavailable("Too many connections.", 1));
  const std::string& body = std::get<std::string>(response.body);
  const Framing framing{static_cast<std::int64_t>(body.size()), true, false};
  const std::string text =
      render_head(response, framing, shared_->options.server_name, SystemClock{}.wall()) + body;
  const int fd = socket.native_handle();
  char unread[4096];
  [[maybe_unused]] const ssize_t dropped = ::recv(fd, unread, sizeof unread, MSG_DONTWAIT);
  [[maybe_unused]] const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void BeastServer::run() {
  name_thread("http");
  for (;;) {
    try {
      shared_->context.run();
      return;
    } catch (const std::exception& error) {
      log_error("an exception reached the event loop: {}", error.what());
    } catch (...) {
      log_error("an exception of unknown type reached the event loop");
    }
  }
}

void BeastServer::stop(Millis grace) {
  const std::lock_guard lock(stop_mutex_);
  const auto connections = shared_->begin_stopping();
  if (threads_.empty()) return;
  asio::post(acceptor_.get_executor(), [this] {
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel(ignored);
  });
  for (const auto& connection : connections) connection->wind_down();
  shared_->wait_until_empty(grace);
  for (const auto& connection : shared_->connections()) connection->abort();
  // Without `work_` the event loop ends when its queue is empty, and its threads with it.
  work_.reset();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace

std::unique_ptr<Server> make_beast_server(ServerOptions options, http::Handler& handler) {
  return std::make_unique<BeastServer>(std::move(options), handler);
}

}  // namespace drover::transport
