#include "drover/ports/artifact_store.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "drover/base/limits.hpp"
#include "drover/base/text.hpp"

namespace drover::ports {

Status check_artifact_name(std::string_view name) {
  if (name.empty() || name.size() > limits::kNameBytes) {
    return invalid("name", fmt::format("an artifact's name has 1 to {} bytes", limits::kNameBytes));
  }
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::any_of(name.begin(), name.end(), control) || !storable_text(name)) {
    return invalid("name", "an artifact's name is UTF-8 text without control characters");
  }
  for (const std::string_view part : split(name, '/')) {
    if (!part.empty() && part != "." && part != "..") continue;
    return invalid("name", "the parts of an artifact's name, separated by '/', are not empty, '.' or '..'");
  }
  return Ok{};
}

}  // namespace drover::ports
