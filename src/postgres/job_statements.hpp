#pragma once

#include <cstddef>
#include <vector>

#include "batch.hpp"

// The statements that write what commands say of jobs as it stands, a column of arrays a field.
namespace drover::postgres {

using Index = std::vector<std::size_t>;  // into Batch::commands

void append_inserts(Batch& batch, const Index& inserts, std::vector<Statement>& out);
Statement end_statement(const Batch& batch, const Index& ends, std::int64_t event_base);

}  // namespace drover::postgres
