#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "drover/base/result.hpp"

#include "ec2_protocol.hpp"

namespace drover::localcloud {

// A page's token names where the page before ended and what was listed: with another listing it is refused.
std::string make_page_token(std::int64_t position, const Params& params);
// Where the page before ended, 0 for the first one; InvalidNextToken.
Result<std::int64_t> page_start(const Params& params);

// <set>the page's items</set>, and <nextToken> when more follow. Each item is an <item> of its own.
Result<std::string> page_of(const Params& params, std::string_view set,
                            const std::vector<std::string>& items);

}  // namespace drover::localcloud
