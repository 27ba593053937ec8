#include "fields.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "drover/api/job_spec.hpp"
#include "drover/base/text.hpp"

namespace drover::api {

std::string with_article(const char* type_name) {
  const std::string_view type(type_name);
  if (type == "null") return "null";
  const bool vowel = type.starts_with('i') || type.starts_with('a') || type.starts_with('o');
  return fmt::format("{} {}", vowel ? "an" : "a", type);
}

bool plain_text(std::string_view text) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return std::none_of(text.begin(), text.end(), control) && storable_text(text);
}

bool valid_short_name(std::string_view text) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  // Names stand in paths, where clients take "." and ".." for directories.
  const bool directory = text == "." || text == "..";
  return !text.empty() && text.size() <= 128 && !directory && std::all_of(text.begin(), text.end(), good);
}

Fields::Fields(const Json& json, const std::string& field) : json_(json), field_(field) {
  if (json.if_object() == nullptr) {
    const std::string what = field.empty() ? "the body" : field;
    error_ =
        invalid(field, fmt::format("{} must be an object, not {}", what, with_article(json.type_name())));
  }
}

std::string Fields::name(std::string_view key) const {
  return field_.empty() ? std::string(key) : fmt::format("{}.{}", field_, key);
}

void Fields::fail(std::string_view key, std::string_view what) {
  if (!error_) error_ = invalid(name(key), fmt::format("{} {}", name(key), what));
}

void Fields::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

void Fields::wrong_type(std::string_view key, const char* wanted, const Json& got) {
  fail(key, fmt::format("must be {}, not {}", with_article(wanted), with_article(got.type_name())));
}

const Json* Fields::any(std::string_view key) {
  known_.push_back(key);
  return json_.find(key);
}

const Json* Fields::any_but_null(std::string_view key) {
  const Json* value = any(key);
  return value != nullptr && value->is_null() ? nullptr : value;
}

void Fields::require(std::string_view key) {
  if (json_.find(key) == nullptr) fail(key, "is required");
}

bool Fields::text(std::string_view key, std::string& out, std::size_t min_characters,
                  std::size_t max_characters) {
  const Json* value = any(key);
  if (value == nullptr) return false;
  const std::string* text = value->if_string();
  if (text == nullptr) {
    wrong_type(key, "string", *value);
  } else if (const std::size_t size = characters(*text); size < min_characters || size > max_characters) {
    fail(key, fmt::format("must have {} to {} characters, not {}", min_characters, max_characters, size));
  } else if (!plain_text(*text)) {
    fail(key, "must not hold control characters");
  } else {
    out = *text;
    return true;
  }
  return false;
}

bool Fields::word(std::string_view key, std::string& out, std::span<const std::string_view> words) {
  const Json* value = any(key);
  if (value == nullptr) return false;
  const std::string* text = value->if_string();
  if (text == nullptr) {
    wrong_type(key, "string", *value);
  } else if (std::find(words.begin(), words.end(), *text) == words.end()) {
    const std::string_view near = nearest(*text, words);
    const std::string guess = near.empty() ? "" : fmt::format("; did you mean {}?", near);
    fail(key, fmt::format("must be one of {}, not \"{}\"{}", fmt::join(words, ", "), *text, guess));
  } else {
    out = *text;
    return true;
  }
  return false;
}

bool Fields::short_name(std::string_view key, std::string& out) {
  const Json* value = any(key);
  if (value == nullptr) return false;
  const std::string* text = value->if_string();
  if (text == nullptr) {
    wrong_type(key, "string", *value);
  } else if (!valid_short_name(*text)) {
    fail(key, kShortNameRule);
  } else {
    out = *text;
    return true;
  }
  return false;
}

bool Fields::integer(std::string_view key, std::int64_t& out, std::int64_t min, std::int64_t max) {
  const Json* value = any(key);
  if (value == nullptr) return false;
  const std::optional<std::int64_t> number = value->whole();
  if (!number) {
    wrong_type(key, "integer", *value);
  } else if (*number < min || *number > max) {
    fail(key, fmt::format("must be from {} to {}, not {}", min, max, *number));
  } else {
    out = *number;
    return true;
  }
  return false;
}

bool Fields::integer(std::string_view key, int& out, std::int64_t min, std::int64_t max) {
  std::int64_t wide = out;
  const bool there = integer(key, wide, min, max);
  if (there) out = static_cast<int>(wide);
  return there;
}

bool Fields::number(std::string_view key, double& out, double min, double max) {
  const Json* value = any(key);
  if (value == nullptr) return false;
  double storage = 0;
  const double* number = value->if_number(storage);
  if (number == nullptr) {
    wrong_type(key, "number", *value);
  } else if (!(*number >= min && *number <= max)) {
    fail(key, fmt::format("must be from {} to {}, not {}", min, max, *number));
  } else {
    out = *number;
    return true;
  }
  return false;
}

bool Fields::boolean(std::string_view key, bool& out) {
  const Json* value = any(key);
  if (value == nullptr) return false;
  if (value->if_bool() == nullptr) {
    wrong_type(key, "boolean", *value);
    return false;
  }
  out = *value->if_bool();
  return true;
}

bool Fields::texts(std::string_view key, std::vector<std::string>& out, std::size_t max_count,
                   std::size_t max_characters) {
  const Json* value = any(key);
  if (value == nullptr) return false;
  const Json::Array* array = value->if_array();
  if (array == nullptr) {
    wrong_type(key, "array", *value);
    return false;
  }
  if (array->size() > max_count) fail(key, fmt::format("must have at most {} elements", max_count));
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < array->size() && !failed(); ++i) {
    const std::string* text = (*array)[i].if_string();
    const std::string element = fmt::format("{}[{}]", key, i);
    if (text == nullptr) {
      wrong_type(element, "string", (*array)[i]);
    } else if (text->empty() || characters(*text) > max_characters || !plain_text(*text)) {
      fail(element, fmt::format("must have 1 to {} characters and no control characters", max_characters));
    } else {
      texts.push_back(*text);
    }
  }
  if (failed()) return false;
  out = std::move(texts);
  return true;
}

Status Fields::finish(bool tolerant) {
  const Json::Object* object = tolerant ? nullptr : json_.if_object();
  for (std::size_t i = 0; object != nullptr && i < object->size(); ++i) {
    const std::string& key = (*object)[i].key;
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    return invalid(name(key),
                   fmt::format("{} is not a known member{}", name(key), what_there_is(key, known_)));
  }
  if (error_) return *error_;
  return Ok{};
}

}  // namespace drover::api
