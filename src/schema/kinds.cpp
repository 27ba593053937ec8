#include "drover/schema/kinds.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "drover/base/text.hpp"

namespace drover::schema {
namespace {

constexpr const char* kNoControl = R"(^[^\u0000-\u001f\u007f]*$)";

Json of_type(std::string_view type) {
  return Json::object().set("type", type);
}

bool restore_text(const Json& value, std::string& out) {
  const std::string* text = value.if_string();
  if (text != nullptr) out = *text;
  return text != nullptr;
}

// A bound as people write it: 60, not 60.0.
Json bound(double value) {
  return Number{}.write(value);
}

}  // namespace

std::optional<std::int64_t> Whole::taken(const Place& at, const Json& value) const {
  const std::string* text = at.in_query() ? value.if_string() : nullptr;
  const std::optional<std::int64_t> number = text == nullptr ? value.whole() : parse_int(*text);
  if (!number && text != nullptr) {
    at.fail("must be a whole number");
  } else if (!number) {
    at.wrong_type("integer", value);
  } else if (*number < min || *number > max) {
    at.fail(fmt::format("must be from {} to {}, not {}", min, max, *number));
  } else {
    return number;
  }
  return std::nullopt;
}

Json Whole::describe(Components& /*components*/) const {
  Json out = of_type("integer");
  if (min != INT64_MIN) out.set("minimum", min);
  if (max != INT64_MAX) out.set("maximum", max);
  return out;
}

void Number::read(const Place& at, const Json& value, double& out) const {
  double storage = 0;
  const double* number = value.if_number(storage);
  if (number == nullptr) return at.wrong_type("number", value);
  if (!(*number >= min && *number <= max)) {
    return at.fail(fmt::format("must be from {} to {}, not {}", min, max, *number));
  }
  if (above_min && *number <= min) return at.fail(fmt::format("must be above {}", min));
  out = *number;
}

bool Number::restore(const Json& value, double& out) const {
  double storage = 0;
  const double* number = value.if_number(storage);
  if (number != nullptr) out = *number;
  return number != nullptr;
}

Json Number::write(double value) const {
  constexpr double kExact = 9.0e15;
  if (value == std::floor(value) && std::fabs(value) < kExact) return Json(static_cast<std::int64_t>(value));
  return Json(value);
}

Json Number::describe(Components& /*components*/) const {
  Json out = of_type("number");
  out.set(above_min ? "exclusiveMinimum" : "minimum", bound(min));
  if (max > min) out.set("maximum", bound(max));
  return out;
}

void Flag::read(const Place& at, const Json& value, bool& out) const {
  const std::string* text = at.in_query() ? value.if_string() : nullptr;
  if (text != nullptr && *text != "true" && *text != "false" && *text != "1" && *text != "0") {
    return at.fail("must be true or false");
  }
  if (text != nullptr) {
    out = *text == "true" || *text == "1";
  } else if (value.if_bool() == nullptr) {
    at.wrong_type("boolean", value);
  } else {
    out = *value.if_bool();
  }
}

bool Flag::restore(const Json& value, bool& out) const {
  if (value.if_bool() == nullptr) return false;
  out = *value.if_bool();
  return true;
}

Json Flag::describe(Components& /*components*/) const {
  return of_type("boolean");
}

void Text::read(const Place& at, const Json& value, std::string& out) const {
  const std::string* text = value.if_string();
  if (text == nullptr) return at.wrong_type("string", value);
  if (const std::size_t size = characters(*text); size < min || size > max) {
    return at.fail(fmt::format("must have {} to {} characters, not {}", min, max, size));
  }
  if (!plain_text(*text)) return at.fail("must not hold control characters");
  out = *text;
}

bool Text::restore(const Json& value, std::string& out) const {
  return restore_text(value, out);
}

Json Text::describe(Components& /*components*/) const {
  Json out = of_type("string");
  if (min > 0) out.set("minLength", static_cast<std::int64_t>(min));
  return std::move(out.set("maxLength", static_cast<std::int64_t>(max)).set("pattern", kNoControl));
}

bool valid_short_name(std::string_view text) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  const bool directory = text == "." || text == "..";
  return !text.empty() && text.size() <= 128 && !directory && std::all_of(text.begin(), text.end(), good);
}

void ShortName::read(const Place& at, const Json& value, std::string& out) const {
  const std::string* text = value.if_string();
  if (text == nullptr) return at.wrong_type("string", value);
  if (!valid_short_name(*text)) return at.fail(kShortNameRule);
  out = *text;
}

bool ShortName::restore(const Json& value, std::string& out) const {
  return restore_text(value, out);
}

Json ShortName::describe(Components& /*components*/) const {
  return std::move(of_type("string").set("pattern", R"(^(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}$)"));
}

void Said::read(const Place& at, const Json& value, std::string& out) const {
  const std::string* text = value.if_string();
  if (text == nullptr) return at.wrong_type("string", value);
  out = *text;
}

bool Said::restore(const Json& value, std::string& out) const {
  return restore_text(value, out);
}

Json Said::describe(Components& /*components*/) const {
  Json out = of_type("string");
  if (!format.empty()) out.set("format", format);
  return out;
}

void Time::read(const Place& at, const Json& value, WallTime& out) const {
  const std::string* text = value.if_string();
  if (text == nullptr) return at.wrong_type("string", value);
  const std::optional<WallTime> time = parse_rfc3339(*text);
  if (!time || *time < WallTime{}) {
    return at.fail("must be an RFC 3339 time from 1970 to 9999, such as 2030-01-02T03:04:05Z");
  }
  out = *time;
}

bool Time::restore(const Json& value, WallTime& out) const {
  const std::string* text = value.if_string();
  const std::optional<WallTime> time = text == nullptr ? std::nullopt : parse_rfc3339(*text);
  if (time) out = *time;
  return time.has_value();
}

Json Time::write(WallTime value) const {
  return to_rfc3339(value);
}

Json Time::describe(Components& /*components*/) const {
  return std::move(of_type("string").set("format", "date-time"));
}

const std::string* one_of(const Place& at, const Json& value, std::span<const std::string_view> words) {
  const std::string* text = value.if_string();
  if (text == nullptr) {
    at.wrong_type("string", value);
  } else if (std::find(words.begin(), words.end(), *text) == words.end()) {
    const std::string_view near = nearest(*text, words);
    const std::string guess = near.empty() ? "" : fmt::format("; did you mean {}?", near);
    at.fail(fmt::format("must be one of {}, not \"{}\"{}", fmt::join(words, ", "), *text, guess));
  } else {
    return text;
  }
  return nullptr;
}

Json describe_words(std::span<const std::string_view> words) {
  Json list = Json::array();
  for (const std::string_view word : words) list.push(word);
  return std::move(of_type("string").set("enum", std::move(list)));
}

Json or_null(Json schema) {
  const Json* type = schema.find("type");
  if (type == nullptr) {  // a reference
    return Json::object().set("anyOf", Json::array().push(std::move(schema)).push(of_type("null")));
  }
  Json types = Json::array().push(*type).push("null");
  schema.set("type", std::move(types));
  if (const Json* words = schema.find("enum")) {
    Json more = *words;
    schema.set("enum", std::move(more.push(Json())));
  }
  return schema;
}

const Json::Array* elements(const Place& at, const Json& value, std::size_t min, std::size_t max) {
  const Json::Array* array = value.if_array();
  if (array == nullptr) {
    at.wrong_type("array", value);
  } else if (array->size() > max) {
    at.fail(fmt::format("must have at most {} elements", max));
  } else if (array->size() < min) {
    at.fail(fmt::format("must have at least {} elements", min));
  } else {
    return array;
  }
  return nullptr;
}

Json describe_list(Json element, std::size_t min, std::size_t max) {
  Json out = of_type("array");
  if (min > 0) out.set("minItems", static_cast<std::int64_t>(min));
  if (max != SIZE_MAX) out.set("maxItems", static_cast<std::int64_t>(max));
  return std::move(out.set("items", std::move(element)));
}

void Pairs::read(const Place& at, const Json& value, Values& out) const {
  const Json::Object* object = value.if_object();
  if (object == nullptr) return at.wrong_type("object", value);
  if (object->size() > max) return at.fail(fmt::format("must have at most {} members", max));
  Values taken;
  for (const Json::Member& member : *object) {
    const Place here = at.member(member.key);
    if (member.key.empty() || characters(member.key) > max_key || !plain_text(member.key)) {
      return here.fail(
          fmt::format("must have a key of 1 to {} characters, none of them a control character", max_key));
    }
    for (const std::string_view taken_by_others : reserved) {
      if (lower(member.key).starts_with(taken_by_others)) {
        return here.fail(
            fmt::format("must not begin with \"{}\", which is not yours to give", taken_by_others));
      }
    }
    const std::string* text = member.value.if_string();
    if (text == nullptr) return here.wrong_type("string", member.value);
    if (characters(*text) > max_value || !plain_text(*text)) {
      return here.fail(
          fmt::format("must have at most {} characters, none of them a control character", max_value));
    }
    taken.emplace_back(member.key, *text);
  }
  out = std::move(taken);
}

bool Pairs::restore(const Json& value, Values& out) const {
  Values taken;
  if (const Json::Object* object = value.if_object()) {
    for (const Json::Member& member : *object) {
      if (const std::string* text = member.value.if_string()) taken.emplace_back(member.key, *text);
    }
  } else if (const Json::Array* array = value.if_array()) {
    for (const Json& element : *array) {
      const Json::Array* pair = element.if_array();
      if (pair == nullptr || pair->size() != 2) continue;
      const std::string* key = (*pair)[0].if_string();
      const std::string* text = (*pair)[1].if_string();
      if (key != nullptr && text != nullptr) taken.emplace_back(*key, *text);
    }
  } else {
    return false;
  }
  out = std::move(taken);
  return true;
}

Json Pairs::write(const Values& values) const {
  Json out = Json::object();
  for (const auto& [key, value] : values) out.set(key, value);
  return out;
}

Json Pairs::describe(Components& /*components*/) const {
  Json key = Json::object();
  key.set("minLength", 1).set("maxLength", static_cast<std::int64_t>(max_key)).set("pattern", kNoControl);
  if (!reserved.empty()) {
    std::string either;
    for (const std::string_view prefix : reserved) {
      if (!either.empty()) either += '|';
      for (const char c : prefix) {
        const bool letter = c >= 'a' && c <= 'z';
        either += letter ? fmt::format("[{}{}]", static_cast<char>(c - 'a' + 'A'), c) : std::string(1, c);
      }
    }
    key.set("not", Json::object().set("pattern", fmt::format("^({})", either)));
  }
  Json text = of_type("string");
  text.set("maxLength", static_cast<std::int64_t>(max_value)).set("pattern", kNoControl);
  Json out = of_type("object");
  out.set("maxProperties", static_cast<std::int64_t>(max)).set("propertyNames", std::move(key));
  return std::move(out.set("additionalProperties", std::move(text)));
}

}  // namespace drover::schema
