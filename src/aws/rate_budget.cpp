#include "drover/aws/rate_budget.hpp"

#include <algorithm>
#include <cmath>

namespace drover::aws {

TokenBucket::TokenBucket(double capacity, double refill_per_second)
    : capacity_(capacity), refill_(refill_per_second), level_(capacity) {}

void TokenBucket::refill(SteadyTime now) {
  if (at_ && now > *at_) {
    const std::chrono::duration<double> passed = now - *at_;
    level_ = std::min(capacity_, level_ + passed.count() * refill_);
  }
  if (!at_ || now > *at_) at_ = now;
}

std::optional<Millis> TokenBucket::take(double tokens, SteadyTime now, Millis patience) {
  refill(now);
  const double missing = std::min(tokens, capacity_) - level_;
  const Millis wait{static_cast<Millis::rep>(std::ceil(std::max(missing, 0.0) / refill_ * 1000.0))};
  if (wait > patience) return std::nullopt;
  level_ -= tokens;
  return wait;
}

void TokenBucket::give_back(double tokens) {
  level_ = std::min(capacity_, level_ + tokens);
}

void TokenBucket::drain(SteadyTime now) {
  refill(now);
  level_ = std::min(level_, 0.0);
}

}  // namespace drover::aws
