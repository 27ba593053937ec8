#pragma once

#include "pg_fixture.hpp"
#include "store_case.hpp"

namespace drover::testing {

using PgWriterTest = StoreCase<PgTest>;

}  // namespace drover::testing
