#pragma once

#include <chrono>

namespace drover {

// Wall time, microseconds since the Unix epoch, UTC: what is stored and shown.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;
// Steady time: what leases and deadlines are measured with. Never stored, means nothing after a restart.
using SteadyTime = std::chrono::steady_clock::time_point;
using Micros = std::chrono::microseconds;
using Millis = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;

// The only door to the time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime wall() const = 0;
  [[nodiscard]] virtual SteadyTime steady() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override;
  [[nodiscard]] SteadyTime steady() const override;
};

}  // namespace drover
