#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "drover/base/clock.hpp"

namespace drover::app {

// The service manager's notification socket ($NOTIFY_SOCKET, sd_notify(3)): one datagram a message, by path
// or abstract name. Does nothing where there is no such socket. Thread-safe.
class Systemd {
 public:
  Systemd();  // reads the environment
  // "READY=1", "STATUS=…", several separated by newlines. False when it could not be sent.
  bool notify(std::string_view message) const;
  // How often WATCHDOG=1 is due: half of $WATCHDOG_USEC. nullopt: no watchdog for this process.
  [[nodiscard]] std::optional<Millis> watchdog_interval() const { return watchdog_; }

 private:
  std::string socket_;
  std::optional<Millis> watchdog_;
};

}  // namespace drover::app
