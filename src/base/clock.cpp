#include "drover/base/clock.hpp"

namespace drover {

SteadyTime::duration time_until(WallTime then, WallTime now) {
  if (then <= now) return SteadyTime::duration::zero();
  return then < now + kLongestWait ? then - now : kLongestWait;
}

WallTime SystemClock::wall() const {
  return std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
}

SteadyTime SystemClock::steady() const {
  return std::chrono::steady_clock::now();
}

}  // namespace drover
