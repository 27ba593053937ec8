#include <algorithm>
#include <future>
#include <mutex>
#include <thread>

#include <arpa/inet.h>
#include <cpprest/http_listener.h>
#include <netinet/in.h>
#include <pplx/threadpool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drover/base/log.hpp"
#include "drover/transport/server.hpp"

#include "cpprest_request.hpp"

namespace drover::transport {

namespace {

using web::http::experimental::listener::http_listener;

constexpr Seconds kCloseTime{5};

// One pool serves the whole process and cannot be resized. Its default of 40 threads costs most of the
// throughput; with one, the library never reads a body.
void start_pool(int threads) {
  static std::once_flag once;
  std::call_once(once, [threads] {
    const std::size_t cores = std::thread::hardware_concurrency();
    try {
      crossplat::threadpool::initialize_with_threads(
          std::max({std::size_t{2}, cores, static_cast<std::size_t>(std::max(threads, 0))}));
    } catch (const std::exception& error) {
      log_warn("cpprestsdk's threads were started before: {}", error.what());
    }
  });
}

// A bound socket that does not listen. The library tells neither which port it got nor properly that one is
// taken (it forgets the listener that has it), so the port is found and tried first, and held until it
// listens.
class Claim {
 public:
  Claim() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  ~Claim() { ::close(fd_); }
  // The port; 0 when it cannot be had.
  std::uint16_t take(const in_addr& address, std::uint16_t port) {
    const int on = 1;
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr = address;
    name.sin_port = htons(port);
    socklen_t size = sizeof name;
    auto* generic = reinterpret_cast<sockaddr*>(&name);
    const bool taken = ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                       ::bind(fd_, generic, size) == 0 && ::getsockname(fd_, generic, &size) == 0;
    return taken ? ntohs(name.sin_port) : std::uint16_t{0};
  }

 private:
  int fd_;
};

class CpprestServer final : public Server {
 public:
  CpprestServer(ServerOptions options, http::Handler& handler)
      : state_(std::make_shared<CpprestState>(std::move(options), handler)) {}
  CpprestServer(const CpprestServer&) = delete;
  CpprestServer& operator=(const CpprestServer&) = delete;
  ~CpprestServer() override { stop(Millis(0)); }

  Status start() override;
  void stop(Millis grace) override;
  [[nodiscard]] std::uint16_t port() const override { return port_; }

 private:
  void open(const std::string& url);

  std::shared_ptr<CpprestState> state_;
  std::uint16_t port_ = 0;
  std::mutex stop_mutex_;
  std::unique_ptr<http_listener> listener_;
};

Status CpprestServer::start() {
  const ServerOptions& options = state_->options;
  if (!options.spool_directory.empty() && ::access(options.spool_directory.c_str(), W_OK | X_OK) != 0) {
    return invalid("spool_directory",
                   fmt::format("The directory {} cannot be written to.", options.spool_directory));
  }
  in_addr address{};
  if (::inet_pton(AF_INET, options.address.c_str(), &address) != 1) {
    return invalid("address",
                   fmt::format("'{}' is not an IPv4 address; cpprestsdk takes no other.", options.address));
  }
  start_pool(options.threads);
  Claim claim;
  port_ = claim.take(address, options.port);
  std::string cause = "the port is taken";
  try {
    if (port_ != 0) {
      open(fmt::format("http://{}:{}/", options.address, port_));
      return Ok{};
    }
  } catch (const std::exception& error) {
    listener_.reset();
    cause = error.what();
  }
  return unavailable(fmt::format("Cannot listen on {} port {}: {}.", options.address, options.port, cause));
}

void CpprestServer::open(const std::string& url) {
  const auto serve = [state = state_](const web::http::http_request& message) {
    try {
      const bool entered = state->enter();
      const auto request = std::make_shared<CpprestRequest>(state, message, entered);
      entered ? request->begin() : request->turn_away();
    } catch (const std::exception& error) {
      log_error("a request could not be taken: {}", error.what());
      throw;  // the library answers 500
    }
  };
  listener_ = std::make_unique<http_listener>(web::uri(url));
  listener_->support(serve);
  // The library would answer these two methods itself, and TRACE with every header of the request,
  // Authorization included.
  listener_->support(web::http::methods::TRCE, serve);
  listener_->support(web::http::methods::OPTIONS, serve);
  listener_->open().get();
}

void CpprestServer::stop(Millis grace) {
  const std::lock_guard lock(stop_mutex_);
  if (!listener_) return;
  state_->stop(grace);
  state_->end();
  state_->cut_off();
  // The library waits without limit for its connections to end, and some never do. After kCloseTime the
  // listener and those connections are left behind, on a thread of their own.
  const auto closed = std::make_shared<std::promise<void>>();
  std::thread([closed, listener = std::shared_ptr<http_listener>(std::move(listener_))] {
    try {
      listener->close().get();
    } catch (const std::exception& error) {
      log_error("cpprestsdk's listener did not close: {}", error.what());
    }
    closed->set_value();
  }).detach();
  if (closed->get_future().wait_for(kCloseTime) != std::future_status::ready)
    log_error("cpprestsdk's listener does not close: its connections are left behind");
}

}  // namespace

std::unique_ptr<Server> make_cpprest_server(ServerOptions options, http::Handler& handler) {
  return std::make_unique<CpprestServer>(std::move(options), handler);
}

std::optional<TransportKind> parse_transport(std::string_view name) {
  if (name == "beast") return TransportKind::beast;
  if (name == "cpprest") return TransportKind::cpprest;
  return std::nullopt;
}

std::unique_ptr<Server> make_server(TransportKind kind, ServerOptions options, http::Handler& handler) {
  if (kind == TransportKind::beast) return make_beast_server(std::move(options), handler);
  log_warn(
      "HTTP is served by cpprestsdk, which is not fit to face a network: one malformed chunk ends the "
      "process, and "
      "there are no time limits on requests and no limits on connections");
  return make_cpprest_server(std::move(options), handler);
}

}  // namespace drover::transport
