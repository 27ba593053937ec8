#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "drover/core/fleet/plan.hpp"

#include "world.hpp"

namespace drover::model {

// What core::plan() would have done now.
struct Intent {
  enum class Kind : Byte { lose, cordon, terminate, launch } kind = Kind::launch;
  int machine = 0;                                      // not for launch
  core::Outcome outcome = core::Outcome::interruption;  // for lose
};

// Asks the real planner, which judges long silence and long absence by itself; remembers its answers, since
// many worlds look alike to it. `long_idle`: workers without a lease have been so for the pool's
// idle_timeout.
class Planner {
 public:
  const std::vector<Intent>& plan(const World& world, bool long_idle);
  [[nodiscard]] std::size_t questions() const { return answers_.size(); }

 private:
  std::unordered_map<std::uint32_t, std::vector<Intent>> answers_;
};

}  // namespace drover::model
