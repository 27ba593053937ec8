#include "changes/define.hpp"

namespace drover::engine {

using ports::PutPool;

template <>
struct InEngine<PutPool> {
  static void remember(State& state, const PutPool&, const PutPool::Answer& done, SteadyTime) {
    const ports::PoolRow& pool = done.pool;
    state.pools.insert_or_assign(pool.id, pool);
    state.serve_queues(core::queues_of(pool.spec));
    for (auto& [id, member] : state.workers) {
      if (member.row.pool == pool.id) member.row.queues = core::queues_of(pool.spec);
    }
  }
};
DROVER_IN_ENGINE(ports::PutPool)

}  // namespace drover::engine
