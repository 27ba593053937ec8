#include "drover/base/ids.hpp"

#include "drover/base/secret.hpp"

#include "hex.hpp"

namespace drover {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

constexpr bool dash_before(std::size_t byte) {
  return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

}  // namespace

std::string to_string(const Uuid& id) {
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (dash_before(i)) text += '-';
    text += kHexDigits[id.bytes[i] >> 4];
    text += kHexDigits[id.bytes[i] & 15];
  }
  return text;
}

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  Uuid id;
  std::size_t at = 0;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (dash_before(i) && text[at++] != '-') return std::nullopt;
    const int high = hex_value(text[at]);
    const int low = hex_value(text[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
    at += 2;
  }
  return id;
}

Uuid make_job_id(JobNumber number, WallTime created, std::uint32_t entropy) {
  const auto ms = std::chrono::duration_cast<Millis>(created.time_since_epoch()).count();
  Uuid id;
  for (std::size_t i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(ms >> (8 * (5 - i)));
  // 12 + 14 random bits around the version and the variant.
  id.bytes[6] = static_cast<std::uint8_t>(0x70 | ((entropy >> 22) & 0x0f));
  id.bytes[7] = static_cast<std::uint8_t>(entropy >> 14);
  id.bytes[8] = static_cast<std::uint8_t>(0x80 | ((entropy >> 8) & 0x3f));
  id.bytes[9] = static_cast<std::uint8_t>(entropy);
  for (std::size_t i = 0; i < 6; ++i) {
    id.bytes[10 + i] = static_cast<std::uint8_t>(number.value >> (8 * (5 - i)));
  }
  return id;
}

std::optional<JobNumber> number_in(const Uuid& id) {
  if ((id.bytes[6] >> 4) != 7) return std::nullopt;
  std::int64_t number = 0;
  for (std::size_t i = 10; i < 16; ++i) number = number << 8 | id.bytes[i];
  if (number == 0) return std::nullopt;
  return JobNumber{number};
}

Uuid make_random_uuid() {
  Uuid id;
  const std::uint64_t parts[2] = {random_u64(), random_u64()};
  for (std::size_t i = 0; i < 16; ++i) id.bytes[i] = static_cast<std::uint8_t>(parts[i / 8] >> (8 * (i % 8)));
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

}  // namespace drover
