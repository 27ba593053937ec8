#include "drover/aws/http_date.hpp"

#include <string>

#include "drover/base/text.hpp"

namespace drover::aws {

std::optional<WallTime> parse_http_date(std::string_view text) {
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT") return std::nullopt;
  if (text[7] != ' ' || text[11] != ' ' || text[16] != ' ') return std::nullopt;
  const auto month = kMonths.find(text.substr(8, 3));
  if (month == std::string_view::npos || month % 3 != 0) return std::nullopt;
  const std::string number = std::to_string(month / 3 + 101).substr(1);
  return parse_rfc3339(std::string(text.substr(12, 4)) + '-' + number + '-' + std::string(text.substr(5, 2)) +
                       'T' + std::string(text.substr(17, 8)) + 'Z');
}

}  // namespace drover::aws
