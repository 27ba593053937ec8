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
  bool given = false;  // false: for any version, or for no pool at all
  bool any = false;    // any version, but there must be a pool
  std::vector<std::int64_t> versions;
};

struct PoolPut {
  ports::PoolRow pool;
  bool made = false;  // it was not there before
};

// The calls of people about pools. Thread-safe. precondition_failed: the pool does not have a version that
// was named.
class Pools {
 public:
  using Edit = std::function<Result<core::PoolSpec>(const core::PoolSpec& present)>;
  virtual ~Pools() = default;

  virtual Result<std::vector<ports::PoolRow>> list(const Principal& who) = 0;             // blocks
  virtual Result<ports::PoolRow> get(const Principal& who, const std::string& name) = 0;  // blocks
  // conflict when there is a pool of this name.
  virtual void create(const Principal& who, core::PoolSpec spec, engine::Done<PoolPut> done) = 0;
  // Replaces the pool, or creates it. Blocks when a version was named.
  virtual void put(const Principal& who, core::PoolSpec spec, const Match& match,
                   engine::Done<PoolPut> done) = 0;
  // Reads the pool, and stores what `edit` makes of it. If somebody else edits the pool in between, the call
  // fails (conflict, or precondition_failed if a version was named), so that neither edit is lost. Blocks.
  virtual void edit(const Principal& who, const std::string& name, const Match& match, const Edit& edit,
                    engine::Done<PoolPut> done) = 0;
};

// The arguments must outlive the answer.
std::unique_ptr<Pools> make_pools(engine::Engine& engine, ports::Reads& reads, const Clock& clock);

}  // namespace drover::services
