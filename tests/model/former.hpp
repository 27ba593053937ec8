#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "store.hpp"
#include "world.hpp"

namespace drover::model {

// A batch: which of the waiting changes go with it, and what is claimed for the workers that ask.
struct Formed {
  std::vector<int> made;     // places in World::waiting, in the order of their making
  std::vector<int> put_off;  // likewise: these wait on, in this order
  std::vector<int> claimed;  // a job for each that asks, as many as there are
};

// Forms batches with the engine's own Pipeline, which knows the order of the lanes and lets no change pass
// another of the same job that was put off; remembers its answers, since there are few different questions.
class Former {
 public:
  // `asking`: so many workers, with room for one job each.
  const Formed& form(const World& world, int asking, Bug bug);
  [[nodiscard]] std::size_t questions() const { return answers_.size(); }

 private:
  std::unordered_map<std::uint32_t, Formed> answers_;
};

}  // namespace drover::model
