#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "drover/base/clock.hpp"

namespace drover {

// Whole text as a decimal integer; nullopt when anything else is in it or it does not fit.
std::optional<std::int64_t> parse_int(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string lower(std::string_view text);
bool iequals(std::string_view a, std::string_view b);

// The one of `words` that the writer of `word`, which is none of them, probably meant; empty when none is
// near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> words);
// What follows a complaint about a word that is not known: "; did you mean b? There are a, b, c".
std::string what_there_is(std::string_view word, std::span<const std::string_view> words);

// Code points of a UTF-8 text.
std::size_t characters(std::string_view text);

// Strict UTF-8 (no surrogates, no overlong forms), and no NUL: what PostgreSQL text takes.
bool storable_text(std::string_view text);
// The same text where it is storable, else with '?' for all but printable ASCII: what quotes foreign bytes.
std::string printable(std::string_view text);

// RFC 3339 in UTC: "2026-01-02T03:04:05.678901Z", the fraction left out when zero.
std::string to_rfc3339(WallTime time);
// With Z or an offset; fraction to microseconds; years 0000 to 9999, also in UTC.
std::optional<WallTime> parse_rfc3339(std::string_view text);

std::string hex_encode(std::string_view bytes);
std::string base64_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);

// RFC 3986: everything but unreserved characters as %XX (upper-case hex).
std::string percent_encode(std::string_view text);
// nullopt at a broken escape; `plus_is_space` for form bodies and queries.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
// "a=1&b=2" → ordered pairs; nullopt at a broken escape.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_form(std::string_view text);

// A POSIX shell word that expands to exactly `text`: single quotes, with '\'' inside. `text` holds no NUL.
std::string shell_quote(std::string_view text);

}  // namespace drover
