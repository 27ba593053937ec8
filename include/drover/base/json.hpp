#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "drover/base/result.hpp"

namespace drover {

// A JSON value that keeps the order of members and the exact text of fractions. Strict parsing; see
// parse_json.
class Json {
 public:
  struct Member;
  using Array = std::vector<Json>;
  using Object = std::vector<Member>;
  struct Fraction {  // a number with '.' or exponent, or an integer beyond 64 bits
    double value = 0;
    std::string text;  // as written; empty: made from value
  };

  // Defined below the class, where Member is complete.
  Json();
  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other);
  Json& operator=(Json&& other) noexcept;
  ~Json();
  Json(std::nullptr_t);          // NOLINT(google-explicit-constructor)
  Json(bool value);              // NOLINT(google-explicit-constructor)
  Json(int value);               // NOLINT(google-explicit-constructor)
  Json(std::int64_t value);      // NOLINT(google-explicit-constructor)
  Json(std::uint64_t value);     // NOLINT(google-explicit-constructor)
  Json(double value);            // NOLINT(google-explicit-constructor)
  Json(Fraction value);          // NOLINT(google-explicit-constructor)
  Json(const char* value);       // NOLINT(google-explicit-constructor)
  Json(std::string_view value);  // NOLINT(google-explicit-constructor)
  Json(std::string value);       // NOLINT(google-explicit-constructor)
  Json(Array value);             // NOLINT(google-explicit-constructor)
  Json(Object value);            // NOLINT(google-explicit-constructor)
  static Json object();
  static Json array();

  [[nodiscard]] bool is_null() const { return value_.index() == 0; }
  [[nodiscard]] const bool* if_bool() const { return std::get_if<bool>(&value_); }
  [[nodiscard]] const std::int64_t* if_int() const { return std::get_if<std::int64_t>(&value_); }
  [[nodiscard]] const Fraction* if_fraction() const { return std::get_if<Fraction>(&value_); }
  [[nodiscard]] const std::string* if_string() const { return std::get_if<std::string>(&value_); }
  [[nodiscard]] const Array* if_array() const { return std::get_if<Array>(&value_); }
  [[nodiscard]] Array* if_array() { return std::get_if<Array>(&value_); }
  [[nodiscard]] const Object* if_object() const { return std::get_if<Object>(&value_); }
  [[nodiscard]] Object* if_object() { return std::get_if<Object>(&value_); }
  // An integer or fraction as double.
  [[nodiscard]] const double* if_number(double& storage) const;
  // A whole number however it is written: 3, and 3.0 or 3e0, which JSON Schema calls integers too.
  [[nodiscard]] std::optional<std::int64_t> whole() const;
  // "null", "boolean", "integer", "number", "string", "array", "object": for messages.
  [[nodiscard]] const char* type_name() const;

  // The member's value, or nullptr; nullptr on anything that is not an object.
  [[nodiscard]] const Json* find(std::string_view key) const;
  // Sets or replaces a member; makes a null value an object. Returns *this, to chain.
  Json& set(std::string key, Json value);
  // Appends to an array; makes a null value an array.
  Json& push(Json value);

  // Compact text, UTF-8, '/' not escaped. Appends to `out` or returns.
  void write(std::string& out) const;
  [[nodiscard]] std::string dump() const;

  bool operator==(const Json& other) const;

 private:
  std::variant<std::monostate, bool, std::int64_t, Fraction, std::string, Array, Object> value_;
};

struct Json::Member {
  std::string key;
  Json value;
};

inline Json::Json() = default;
inline Json::Json(const Json& other) = default;
inline Json::Json(Json&& other) noexcept = default;
inline Json& Json::operator=(const Json& other) = default;
inline Json& Json::operator=(Json&& other) noexcept = default;
inline Json::~Json() = default;
inline Json::Json(std::nullptr_t) {}
inline Json::Json(bool value) : value_(value) {}
inline Json::Json(int value) : value_(std::int64_t{value}) {}
inline Json::Json(std::int64_t value) : value_(value) {}
inline Json::Json(double value) : value_(Fraction{value, {}}) {}
inline Json::Json(Fraction value) : value_(std::move(value)) {}
inline Json::Json(const char* value) : value_(std::string(value)) {}
inline Json::Json(std::string_view value) : value_(std::string(value)) {}
inline Json::Json(std::string value) : value_(std::move(value)) {}
inline Json::Json(Array value) : value_(std::move(value)) {}
inline Json::Json(Object value) : value_(std::move(value)) {}

struct JsonLimits {
  int depth = 32;
  std::size_t values = 1'000'000;  // members and elements in all
};

// Strict RFC 8259: one value, nothing after it, no duplicate member, depth and count bounded, valid UTF-8, no
// lone surrogate, no NUL in any string, no number that overflows a double. The error is Errc::invalid, its
// message says what and at which byte.
Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});

// Appends `text` as a JSON string with its quotes.
void write_json_string(std::string_view text, std::string& out);

}  // namespace drover
