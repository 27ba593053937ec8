#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "drover/base/json.hpp"
#include "drover/base/result.hpp"

namespace drover::schema {

// The path of a value in a body, for messages ("retry.backoff_s", "[3].queue"), and the first error found in
// that body: a caller is told of one error at a time. A place refers to the place above it, so it must not
// outlive that one. The path is put together as text only when there is an error.
class Place {
 public:
  // The body itself, or a part of it that has the name `root`. `error` is empty until something is wrong.
  // In a query all values are text, so numbers are read from text there.
  explicit Place(std::optional<Error>& error, std::string_view root = {}, bool in_query = false)
      : error_(error), key_(root), in_query_(in_query) {}
  [[nodiscard]] Place member(std::string_view key) const { return {*this, key, std::nullopt}; }
  [[nodiscard]] Place element(std::size_t index) const { return {*this, {}, index}; }

  [[nodiscard]] std::string name() const;  // "" for the body
  [[nodiscard]] bool in_query() const { return in_query_; }
  [[nodiscard]] bool failed() const { return error_.has_value(); }
  // Errc::invalid with the message "<name> <what>". Only the first failure of a body is kept.
  void fail(std::string_view what) const;
  // Likewise, with a whole sentence as message.
  void fail_saying(std::string message) const;
  void wrong_type(const char* wanted, const Json& got) const;  // "must be an integer, not a string"

 private:
  Place(const Place& up, std::string_view key, std::optional<std::size_t> index)
      : error_(up.error_), up_(&up), key_(key), index_(index), in_query_(up.in_query_) {}
  std::optional<Error>& error_;
  const Place* up_ = nullptr;
  std::string_view key_;
  std::optional<std::size_t> index_;
  bool in_query_ = false;
};

// The schemas that an OpenAPI document names once and refers to from everywhere.
class Components {
 public:
  using Describe = std::function<Json(Components&)>;
  // A reference to the schema of this name, which is described when it is first referred to.
  Json ref(std::string_view name, const Describe& describe);
  // All that were referred to, by name.
  [[nodiscard]] Json schemas() const;

 private:
  std::set<std::string, std::less<>> begun_;
  std::map<std::string, Json, std::less<>> described_;
};

// "an integer", "a string": for messages.
std::string with_article(std::string_view type_name);
// No control characters, strict UTF-8: fits a header, a log line and a shell variable.
[[nodiscard]] bool plain_text(std::string_view text);

}  // namespace drover::schema
