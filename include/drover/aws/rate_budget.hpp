#pragma once

#include <optional>

#include "drover/base/clock.hpp"

namespace drover::aws {

// A token bucket that can be overdrawn: a taker is told how long to wait until its tokens are there. Pure
// (the caller brings the time); not thread-safe.
class TokenBucket {
 public:
  // Both > 0: what it holds at most, and gains a second. It starts full.
  TokenBucket(double capacity, double refill_per_second);

  // Takes `tokens` (more than the capacity counts as the capacity for the wait) and returns how long to wait
  // first. nullopt: the wait would exceed `patience`, and nothing is taken.
  std::optional<Millis> take(double tokens, SteadyTime now, Millis patience);
  // Puts tokens back that were taken and not used.
  void give_back(double tokens);
  // The cloud throttled a call: its own bucket is empty, so this one is too.
  void drain(SteadyTime now);

 private:
  void refill(SteadyTime now);

  double capacity_;
  double refill_;
  double level_;
  std::optional<SteadyTime> at_;
};

}  // namespace drover::aws
