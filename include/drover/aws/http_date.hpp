#pragma once

#include <optional>
#include <string_view>

#include "drover/base/clock.hpp"

namespace drover::aws {

// RFC 9110 IMF-fixdate, "Fri, 02 Jan 2026 03:04:05 GMT": the Date header of an answer. The day's name is not
// checked.
std::optional<WallTime> parse_http_date(std::string_view text);

}  // namespace drover::aws
