#include <algorithm>

#include "changes/define.hpp"

namespace drover::memstore {

using ports::InsertLaunch;

template <>
struct InMemory<InsertLaunch> {
  static Result<InsertLaunch::Answer> carry_out(Data& data, const InsertLaunch& insert) {
    const bool taken = std::ranges::any_of(data.launches, [&](const auto& entry) {
      return entry.second.request.client_token == insert.request.client_token;
    });
    if (taken || !data.pools.contains(insert.pool)) {
      return conflict("there is no such pool, or the client token is in use");
    }
    const LaunchId id{data.launches.empty() ? 1 : data.launches.rbegin()->first.value + 1};
    data.launches[id] = {insert.pool, insert.request, insert.bootstrap_hash, core::LaunchState::intended,
                         "",          insert.now};
    data.happened("launch_intended", id.value);
    return InsertLaunch::Answer{id};
  }
};
DROVER_IN_MEMORY(ports::InsertLaunch)

}  // namespace drover::memstore
