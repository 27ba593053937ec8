#include "changes/define.hpp"

namespace drover::engine {

using ports::PutPool;

template <>
struct InEngine<PutPool> {
  static void remember(Memory& memory, const PutPool&, const PutPool::Answer& done, SteadyTime) {
    const ports::PoolRow& pool = done.pool;
    memory.pools.insert_or_assign(pool.id, pool);
    for (auto& [id, member] : memory.workers) {
      if (member.row.pool == pool.id) memory.serve(member, core::queues_of(pool.spec));
    }
  }
};
DROVER_IN_ENGINE(ports::PutPool)

}  // namespace drover::engine
