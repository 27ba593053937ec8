#include "ec2_paging.hpp"

#include <algorithm>

#include "drover/base/secret.hpp"
#include "drover/base/text.hpp"

namespace drover::localcloud {

namespace {

// Everything but where the page lies.
std::string listing_of(const Params& params) {
  std::string text;
  for (const auto& [key, value] : params.all()) {
    if (key == "NextToken" || key == "MaxResults") continue;
    text.append(key).append("=").append(value).append("\n");
  }
  return to_hex(sha256(text)).substr(0, 16);
}

}  // namespace

std::string make_page_token(std::int64_t position, const Params& params) {
  return base64_encode(std::to_string(position) + ":" + listing_of(params));
}

Result<std::int64_t> page_start(const Params& params) {
  const auto token = params.text("NextToken");
  if (token.empty()) return 0;
  const auto text = base64_decode(token);
  const auto colon = text ? text->find(':') : std::string::npos;
  if (colon != std::string::npos && text->substr(colon + 1) == listing_of(params)) {
    if (const auto position = parse_int(text->substr(0, colon)); position && *position >= 0) return *position;
  }
  return ec2_error("InvalidNextToken", "The token '" + token + "' is invalid");
}

Result<std::string> page_of(const Params& params, std::string_view set,
                            const std::vector<std::string>& items) {
  const auto start = page_start(params);
  if (!start.ok()) return start.error();
  const auto size = static_cast<std::int64_t>(items.size());
  const auto from = std::min(*start, size);
  const auto to = params.has("MaxResults") ? std::min(size, from + params.number("MaxResults")) : size;
  Xml xml;
  xml.open(set);
  for (auto at = from; at < to; ++at) xml.add(items[static_cast<std::size_t>(at)]);
  xml.close(set);
  if (to < size) xml.leaf("nextToken", make_page_token(to, params));
  return xml.text();
}

}  // namespace drover::localcloud
