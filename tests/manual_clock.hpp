#pragma once

#include "drover/base/clock.hpp"

namespace drover::testing {

// A clock that stands still until the test lets time pass.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override { return WallTime{Seconds{1'700'000'000}} + since_; }
  [[nodiscard]] SteadyTime steady() const override { return SteadyTime{Seconds{1000}} + since_; }
  void pass(Micros time) { since_ += time; }

 private:
  Micros since_{0};
};

}  // namespace drover::testing
