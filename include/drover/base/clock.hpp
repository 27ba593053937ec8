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

// A wait for an instant of the wall clock lasts at most this long; then the waiting code looks at the clock
// again.
inline constexpr Seconds kLongestWait{3600};
// How long to wait from `now` until `then`: zero when it is past, at most kLongestWait. WallTime reaches the
// year 9999, while the nanoseconds of a SteadyTime end after 292 years: adding the bare difference to a
// SteadyTime overflows, and a deadline that wrapped round lies in the past, so that its thread would never
// sleep again.
[[nodiscard]] SteadyTime::duration time_until(WallTime then, WallTime now);

// Where all code gets the time from, so that tests can give it another. Thread-safe.
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
