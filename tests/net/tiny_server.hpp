#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace drover::net::test {

// A server on 127.0.0.1 that answers each request with exactly the bytes that `answer` makes of it. An empty
// answer means silence until the peer closes. A connection stays open unless the answer holds "Connection:
// close".
class TinyServer {
 public:
  using Answer = std::function<std::string(const std::string& request)>;

  explicit TinyServer(Answer answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 16);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { accept_all(); });
  }

  ~TinyServer() {
    stop_ = true;
    thread_.join();
    for (auto& worker : workers_) worker.join();
    ::close(listener_);
  }

  [[nodiscard]] std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  [[nodiscard]] int connections() const { return connections_; }
  [[nodiscard]] std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  [[nodiscard]] bool readable(int socket) const {
    pollfd entry{socket, POLLIN, 0};
    while (!stop_) {
      if (::poll(&entry, 1, 20) > 0) return true;
    }
    return false;
  }

  void accept_all() {
    while (readable(listener_)) {
      const int peer = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (peer < 0) continue;
      ++connections_;
      workers_.emplace_back([this, peer] {
        serve(peer);
        ::close(peer);
      });
    }
  }

  void serve(int peer) {
    std::string input;
    while (readable(peer)) {
      char buffer[4096];
      const auto got = ::recv(peer, buffer, sizeof buffer, 0);
      if (got <= 0) return;
      input.append(buffer, static_cast<std::size_t>(got));
      const auto end = input.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      std::size_t length = 0;
      if (const auto at = input.find("Content-Length: "); at < end)
        length = std::stoul(input.substr(at + 16));
      if (input.size() < end + 4 + length) continue;
      if (!respond(peer, input.substr(0, end + 4 + length))) return;
      input.erase(0, end + 4 + length);
    }
  }

  bool respond(int peer, const std::string& request) {
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    const std::string bytes = answer_(request);
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const auto now = ::send(peer, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (now <= 0) return false;
      sent += static_cast<std::size_t>(now);
    }
    return bytes.find("Connection: close") == std::string::npos;
  }

  Answer answer_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<int> connections_{0};
  std::thread thread_;
  std::vector<std::thread> workers_;  // grown by the accepting thread alone, read after it ended
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
};

}  // namespace drover::net::test
