#include "term.hpp"

namespace drover::engine {

Error not_leading(const std::string& why) {
  return unavailable(why, 1);
}

void Term::begin(SteadyTime now) {
  leading_ = true;
  standby_reason_.clear();
  store_reachable_ = true;
  since_ = now;
}

void Term::end(const std::string& why, bool reachable) {
  leading_ = false;
  standby_reason_ = why;
  store_reachable_ = reachable;
}

Status Term::trusted(SteadyTime now) const {
  if (now < trusted_until()) return Ok{};
  return not_leading(kUntrusted);
}

}  // namespace drover::engine
