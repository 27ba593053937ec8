// The strict parser against nlohmann's: it accepts less, for a reason that it names, and reads the same.
#include <algorithm>
#include <array>
#include <cmath>

#include <nlohmann/json.hpp>

#include "drover/base/json.hpp"
#include "drover/base/text.hpp"

#include "fuzz/property.hpp"

using drover::Json;
using drover::fuzz::hold;

namespace {

// What RFC 8259 leaves open, or the library passes over, and this program does not take.
constexpr std::array<std::string_view, 6> kRefusals{"stands twice in one object",
                                                    "nested deeper than",
                                                    "U+0000",
                                                    "too many values",
                                                    "the body is empty",
                                                    ": a NUL"};

struct Census {
  std::size_t values = 0;
  int depth = 0;
};

// Every value within the promised bounds.
void inspect(const Json& value, int depth, Census& census) {
  ++census.values;
  census.depth = std::max(census.depth, depth);
  if (const auto* text = value.if_string()) hold(drover::storable_text(*text), "a string is not storable");
  if (const auto* number = value.if_fraction()) hold(std::isfinite(number->value), "a number is not finite");
  if (const auto* array = value.if_array()) {
    for (const Json& element : *array) inspect(element, depth + 1, census);
  }
  const auto* members = value.if_object();
  if (members == nullptr) return;
  for (std::size_t i = 0; i < members->size(); ++i) {
    const std::string& key = (*members)[i].key;
    hold(drover::storable_text(key), "a member's name is not storable");
    for (std::size_t k = 0; k < i; ++k) hold((*members)[k].key != key, "a member stands twice");
    inspect((*members)[i].value, depth + 1, census);
  }
}

void check_accepted(std::string_view text, const Json& value, const drover::JsonLimits& limits) {
  Census census;
  inspect(value, 0, census);
  hold(census.depth <= limits.depth, "deeper than the limit");
  hold(census.values <= limits.values, "more values than the limit");

  const std::string written = value.dump();
  const auto again = drover::parse_json(written, limits);
  hold(again.ok(), "what was written does not parse:", written);
  hold(*again == value, "parsing what was written gives another value:", written);
  hold(again->dump() == written, "writing twice gives another text:", written);

  const auto theirs = nlohmann::json::parse(text, nullptr, false);
  hold(!theirs.is_discarded(), "accepted what is no JSON");
  hold(nlohmann::json::parse(written, nullptr, false) == theirs,
       "read another value than nlohmann:", written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = drover::fuzz::text_of(data, size);
  for (const drover::JsonLimits& limits : {drover::JsonLimits{}, drover::JsonLimits{3, 10}}) {
    const auto value = drover::parse_json(text, limits);
    if (value.ok()) {
      check_accepted(text, *value, limits);
      continue;
    }
    const drover::Error& error = value.error();
    hold(error.code == drover::Errc::invalid && !error.message.empty(), "refused without a reason");
    hold(drover::storable_text(error.message), "a reason that is no text:", error.message);
    const bool ours = std::any_of(kRefusals.begin(), kRefusals.end(), [&](std::string_view reason) {
      return error.message.find(reason) != std::string::npos;
    });
    hold(ours || !nlohmann::json::accept(text), "refused JSON for no reason of ours:", error.message);
  }
  return 0;
}
