#pragma once

#include <memory>

#include "drover/ports/reads.hpp"

#include "connection.hpp"

namespace drover::postgres {

[[nodiscard]] Result<std::unique_ptr<ports::DepthCount>> open_count(const SessionOptions& session);

}  // namespace drover::postgres
