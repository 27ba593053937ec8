#include "systemd.hpp"

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "drover/base/text.hpp"

namespace drover::app {
namespace {

std::string environment(const char* name) {
  const char* value = ::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

Systemd::Systemd() : socket_(environment("NOTIFY_SOCKET")) {
  const auto pid = parse_int(environment("WATCHDOG_PID"));
  const auto period = parse_int(environment("WATCHDOG_USEC"));
  if (period && *period > 0 && (!pid || *pid == ::getpid())) {
    watchdog_ = std::chrono::duration_cast<Millis>(Micros{*period / 2});
  }
}

bool Systemd::notify(std::string_view message) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.empty() || socket_.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_[0] == '@') address.sun_path[0] = '\0';  // an abstract name
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const ssize_t sent = ::sendto(fd, message.data(), message.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), size);
  ::close(fd);
  return sent == static_cast<ssize_t>(message.size());
}

}  // namespace drover::app
