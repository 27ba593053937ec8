#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/engine/engine.hpp"
#include "drover/ports/reads.hpp"
#include "drover/services/principal.hpp"

namespace drover::services {

// Which versions of a pool an edit is meant for (If-Match).
struct Match {
  bool given = false;  // false: whichever there is, or none
  bool any = false;    // whichever there is
  std::vector<std::int64_t> versions;
};

struct PoolPut {
  ports::PoolRow pool;
  bool made = false;  // it was not there before
};

// What people ask of pools. Thread-safe. precondition_failed: the pool has not the version that was named.
class Pools {
 public:
  using Edit = std::function<Result<core::PoolSpec>(const core::PoolSpec& present)>;
  virtual ~Pools() = default;

  virtual Result<std::vector<ports::PoolRow>> list(const Principal& who) = 0;             // blocks
  virtual Result<ports::PoolRow> get(const Principal& who, const std::string& name) = 0;  // blocks
  // conflict when there is one of this name.
  virtual void create(const Principal& who, core::PoolSpec spec, engine::Done<PoolPut> done) = 0;
  // The whole pool, present or new. Blocks where a version was named.
  virtual void put(const Principal& who, core::PoolSpec spec, const Match& match,
                   engine::Done<PoolPut> done) = 0;
  // Makes of the pool that is there what `edit` says. What was read is what is edited: an edit in between is
  // a conflict, not lost. Blocks.
  virtual void edit(const Principal& who, const std::string& name, const Match& match, const Edit& edit,
                    engine::Done<PoolPut> done) = 0;
};

// What is referred to must outlive it.
std::unique_ptr<Pools> make_pools(engine::Engine& engine, ports::Reads& reads, const Clock& clock);

}  // namespace drover::services
