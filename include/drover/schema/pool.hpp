#pragma once

#include "drover/core/fleet/facts.hpp"
#include "drover/schema/table.hpp"

namespace drover::schema {

// How to get workers for a set of queues: what the API takes and shows, what [[pool]] of the configuration
// file takes, and what is stored.
const Table<core::PoolSpec>& pool_spec_table();
// The rule of that table about fields that contradict each other, for a table that has these fields among
// others.
void check_pool(const Place& at, const Json& given, const core::PoolSpec& pool);

// The frozen parameters of a launch, as they are stored with its intent.
const Table<core::LaunchRequest>& launch_request_table();

[[nodiscard]] Enum<core::Market> market();
[[nodiscard]] Enum<core::WorkerState> worker_state();

}  // namespace drover::schema
