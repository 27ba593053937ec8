#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "drover/base/json.hpp"
#include "drover/base/result.hpp"
#include "drover/core/fleet/facts.hpp"

namespace drover::api {

// A pool as an operator describes it, over `base` (the defaults for a new pool, the present pool for a
// patch). Pure. With `name` the pool is the one of the path: a member "name" must then be the same, and may
// be absent; without it "name" is required. The error names the member; unknown members are refused, those
// that only answers have (version, blocked_reason) passed over.
Result<core::PoolSpec> parse_pool_spec(const Json& json, core::PoolSpec base, std::string_view name = {});

}  // namespace drover::api
