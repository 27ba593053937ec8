#pragma once

#include <memory>
#include <vector>

#include "parts.hpp"

namespace drover::engine {

// What the leader does again and again, whatever is asked of it; a file each. The engine's thread alone.
class Chore {
 public:
  virtual ~Chore() = default;
  virtual void begin_term(SteadyTime now) = 0;
  [[nodiscard]] virtual SteadyTime due(const Parts& parts) const = 0;
  // It is due, and no batch is under way. What it adds to the pipeline goes with the next batch; what comes
  // of it may be told in a later term.
  virtual void run(Parts& parts) = 0;
  // The process stood still: nothing that waits for a heartbeat is due before one could come.
  virtual void stood_still(Parts&) {}
};

using Chores = std::vector<std::unique_ptr<Chore>>;
[[nodiscard]] Chores all_chores();

std::unique_ptr<Chore> make_expire();
std::unique_ptr<Chore> make_wake();
std::unique_ptr<Chore> make_flush();
std::unique_ptr<Chore> make_partitions();
std::unique_ptr<Chore> make_rescan();

}  // namespace drover::engine
