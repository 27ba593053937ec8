#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "drover/base/clock.hpp"

namespace drover {

// RFC 9110 IMF-fixdate, the form of the Date header: "Fri, 02 Jan 2026 03:04:05 GMT", in whole seconds,
// whatever the locale.
std::string to_http_date(WallTime time);
// That one form; the day's name is not checked.
std::optional<WallTime> parse_http_date(std::string_view text);

}  // namespace drover
