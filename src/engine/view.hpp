#pragma once

#include <string>

#include "parts.hpp"

// What others are shown of the engine's memory.
namespace drover::engine {

[[nodiscard]] EngineView view_of(const Parts& parts, const QueuesWanted& queues = {});
[[nodiscard]] JobPlace place_of(const Parts& parts, const std::string& queue, core::ReadyKey key);

}  // namespace drover::engine
