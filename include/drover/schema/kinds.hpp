#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/json.hpp"
#include "drover/schema/place.hpp"

// The kinds of values that a field of a table may have (table.hpp). A kind is any type with these four:
//   void read(const Place& at, const Json& value, V& out) const;   a request's value, within its bounds
//   bool restore(const Json& value, V& out) const;                  a stored value, of any size
//   Json write(const V& value) const;                               its JSON in answers and in the store
//   Json describe(Components& components) const;                    its JSON Schema
// so that a type with a rule of its own brings its own kind. Stored values are read without bounds because an
// older version of the daemon may have had wider ones, and what it stored must stay readable.
namespace drover::schema {

// Whole numbers into int, std::int64_t or Seconds.
struct Whole {
  std::int64_t min = INT64_MIN;
  std::int64_t max = INT64_MAX;

  template <class V>
  void read(const Place& at, const Json& value, V& out) const {
    if (const std::optional<std::int64_t> number = taken(at, value)) out = static_cast<V>(*number);
  }
  template <class V>
  bool restore(const Json& value, V& out) const {
    const std::optional<std::int64_t> number = value.whole();
    if (number) out = static_cast<V>(*number);
    return number.has_value();
  }
  template <class V>
  [[nodiscard]] Json write(const V& value) const {
    if constexpr (std::is_arithmetic_v<V>) {
      return Json(std::int64_t{value});
    } else {
      return Json(std::int64_t{value.count()});
    }
  }
  [[nodiscard]] Json describe(Components& components) const;

 private:
  [[nodiscard]] std::optional<std::int64_t> taken(const Place& at, const Json& value) const;
};

// Numbers with a fraction.
struct Number {
  double min = 0;
  double max = 0;
  bool above_min = false;  // min itself is not allowed

  void read(const Place& at, const Json& value, double& out) const;
  bool restore(const Json& value, double& out) const;
  [[nodiscard]] Json write(double value) const;  // 2.0 is written as 2
  [[nodiscard]] Json describe(Components& components) const;
};

struct Flag {
  void read(const Place& at, const Json& value, bool& out) const;
  bool restore(const Json& value, bool& out) const;
  [[nodiscard]] Json write(bool value) const { return value; }
  [[nodiscard]] Json describe(Components& components) const;
};

// Text of `min` to `max` characters (not bytes), none of them a control character.
struct Text {
  std::size_t min = 0;
  std::size_t max = 0;

  void read(const Place& at, const Json& value, std::string& out) const;
  bool restore(const Json& value, std::string& out) const;
  [[nodiscard]] Json write(std::string_view value) const { return value; }
  [[nodiscard]] Json describe(Components& components) const;
};

// 1 to 128 of [A-Za-z0-9._-], but not "." or "..": names are parts of URL paths, and clients resolve those
// two before they send a path.
struct ShortName {
  void read(const Place& at, const Json& value, std::string& out) const;
  bool restore(const Json& value, std::string& out) const;
  [[nodiscard]] Json write(std::string_view value) const { return value; }
  [[nodiscard]] Json describe(Components& components) const;
};
[[nodiscard]] bool valid_short_name(std::string_view text);
inline constexpr std::string_view kShortNameRule =
    "must be 1 to 128 letters, digits, dots, underscores or hyphens, and not \".\" or \"..\"";

// Text that only the daemon sets, so it has no bounds; `format` as in JSON Schema ("uuid"), or empty.
struct Said {
  std::string_view format = {};

  void read(const Place& at, const Json& value, std::string& out) const;
  bool restore(const Json& value, std::string& out) const;
  [[nodiscard]] Json write(std::string_view value) const { return value; }
  [[nodiscard]] Json describe(Components& components) const;
};

// A moment as RFC 3339 text; read from 1970 to 9999.
struct Time {
  void read(const Place& at, const Json& value, WallTime& out) const;
  bool restore(const Json& value, WallTime& out) const;
  [[nodiscard]] Json write(WallTime value) const;
  [[nodiscard]] Json describe(Components& components) const;
};

// Reads a text that must be one of `words`, for Enum. nullptr, and `at` has failed, for anything else.
const std::string* one_of(const Place& at, const Json& value, std::span<const std::string_view> words);
Json describe_words(std::span<const std::string_view> words);

// An enumeration, written as one of `words` by the to_string() of its namespace. With `component` the schema
// becomes a component of that name, so that one used in several places is written once.
template <class E>
struct Enum {
  std::span<const std::string_view> words;
  std::optional<E> (*parse)(std::string_view);
  std::string_view component = {};

  void read(const Place& at, const Json& value, E& out) const {
    const std::string* word = one_of(at, value, words);
    if (word != nullptr) out = parse(*word).value_or(out);
  }
  bool restore(const Json& value, E& out) const {
    const std::string* word = value.if_string();
    const std::optional<E> parsed = word == nullptr ? std::nullopt : parse(*word);
    if (parsed) out = *parsed;
    return parsed.has_value();
  }
  [[nodiscard]] Json write(E value) const { return to_string(value); }
  [[nodiscard]] Json describe(Components& components) const {
    if (component.empty()) return describe_words(words);
    return components.ref(component, [this](Components&) { return describe_words(words); });
  }
};

// Adds null to what a schema allows.
Json or_null(Json schema);

// A value that may be absent: a request's null counts as if the member were not there; an empty optional, and
// an empty text, are shown as null.
template <class K>
struct Nullable {
  K kind;

  template <class V>
  void read(const Place& at, const Json& value, std::optional<V>& out) const {
    if (value.is_null()) return;
    V taken{};
    kind.read(at, value, taken);
    if (!at.failed()) out = std::move(taken);
  }
  void read(const Place& at, const Json& value, std::string& out) const {
    if (!value.is_null()) kind.read(at, value, out);
  }
  template <class V>
  bool restore(const Json& value, std::optional<V>& out) const {
    V taken{};
    if (value.is_null() || !kind.restore(value, taken)) return false;
    out = std::move(taken);
    return true;
  }
  bool restore(const Json& value, std::string& out) const {
    return !value.is_null() && kind.restore(value, out);
  }
  template <class V>
  [[nodiscard]] Json write(const std::optional<V>& value) const {
    return value ? kind.write(*value) : Json();
  }
  [[nodiscard]] Json write(const std::string& value) const {
    return value.empty() ? Json() : kind.write(value);
  }
  [[nodiscard]] Json describe(Components& components) const { return or_null(kind.describe(components)); }
};
template <class K>
Nullable(K) -> Nullable<K>;

// The elements of an array, unless there are too many or too few of them.
const Json::Array* elements(const Place& at, const Json& value, std::size_t min, std::size_t max);
Json describe_list(Json element, std::size_t min, std::size_t max);

template <class K>
struct List {
  K kind;
  std::size_t max = SIZE_MAX;
  std::size_t min = 0;

  template <class V>
  void read(const Place& at, const Json& value, std::vector<V>& out) const {
    const Json::Array* array = elements(at, value, min, max);
    if (array == nullptr) return;
    std::vector<V> taken;
    taken.reserve(array->size());
    for (std::size_t i = 0; i < array->size() && !at.failed(); ++i) {
      kind.read(at.element(i), (*array)[i], taken.emplace_back());
    }
    if (!at.failed()) out = std::move(taken);
  }
  template <class V>
  bool restore(const Json& value, std::vector<V>& out) const {
    const Json::Array* array = value.if_array();
    if (array == nullptr) return false;
    out.clear();
    for (const Json& element : *array) {
      if (V taken{}; kind.restore(element, taken)) out.push_back(std::move(taken));
    }
    return true;
  }
  template <class V>
  [[nodiscard]] Json write(const std::vector<V>& values) const {
    Json out = Json::array();
    for (const V& value : values) out.push(kind.write(value));
    return out;
  }
  [[nodiscard]] Json describe(Components& components) const {
    return describe_list(kind.describe(components), min, max);
  }
};
template <class K>
List(K) -> List<K>;
template <class K>
List(K, std::size_t) -> List<K>;

// Pairs of a name and a text, which a client chooses, in the order of the client. Keys that begin with one of
// `reserved`, in any case, are refused.
struct Pairs {
  using Values = std::vector<std::pair<std::string, std::string>>;
  std::size_t max = 0;
  std::size_t max_key = 0;    // characters
  std::size_t max_value = 0;  // characters
  std::span<const std::string_view> reserved = {};

  void read(const Place& at, const Json& value, Values& out) const;
  // Also from an array of [key, text], as earlier versions stored them.
  bool restore(const Json& value, Values& out) const;
  [[nodiscard]] Json write(const Values& values) const;
  [[nodiscard]] Json describe(Components& components) const;
};

}  // namespace drover::schema
