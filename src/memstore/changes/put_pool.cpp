#include "changes/define.hpp"

namespace drover::memstore {

using ports::PutPool;

template <>
struct InMemory<PutPool> {
  static Result<PutPool::Answer> carry_out(Data& data, const PutPool& put) {
    if (Status good = check_text(put.spec.name); !good.ok()) return good.error();
    auto found = data.pool(put.spec.name);
    if (put.create) {
      if (found != data.pools.end()) return conflict("there is a pool " + put.spec.name + " already");
      const PoolId id{data.pools.empty() ? 1 : data.pools.rbegin()->first.value + 1};
      found = data.pools.emplace(id, Pool{put.spec, 1, ""}).first;
      data.happened("pool_created", id.value);
      return answer(found);
    }
    if (found == data.pools.end()) return not_found("there is no pool " + put.spec.name);
    Pool& pool = found->second;
    if (put.version && *put.version != pool.version) {
      return conflict("pool " + put.spec.name + " was edited in the meantime: it has version " +
                      std::to_string(pool.version));
    }
    pool.spec = put.spec;
    pool.blocked_reason = put.blocked_reason;
    if (put.blocked_reason.empty()) ++pool.version;
    data.happened(put.blocked_reason.empty() ? "pool_edited" : "pool_blocked", found->first.value);
    return answer(found);
  }

 private:
  static PutPool::Answer answer(std::map<PoolId, Pool>::iterator at) {
    return {{at->first, at->second.spec, at->second.version, at->second.blocked_reason}};
  }
};
DROVER_IN_MEMORY(ports::PutPool)

}  // namespace drover::memstore
