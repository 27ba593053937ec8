#pragma once

#include "drover/core/fleet/facts.hpp"
#include "drover/schema/table.hpp"

namespace drover::schema {

// The settings of a pool: as the API reads and shows them, as [[pool]] of the configuration file has them,
// and as they are stored.
const Table<core::PoolSpec>& pool_spec_table();
// Fails for fields of a pool that contradict each other. pool_spec_table() has this rule; a table that
// contains its fields needs it too.
void check_pool(const Place& at, const Json& given, const core::PoolSpec& pool);

// The frozen parameters of a launch, as they are stored with its intent.
const Table<core::LaunchRequest>& launch_request_table();

[[nodiscard]] Enum<core::Market> market();
[[nodiscard]] Enum<core::WorkerState> worker_state();

}  // namespace drover::schema
