#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "drover/base/json.hpp"
#include "drover/base/result.hpp"

namespace drover::api {

// "an integer", "a string": for messages.
std::string with_article(const char* type_name);

// No control characters, strict UTF-8: fits a header, a log line and a shell variable.
[[nodiscard]] bool plain_text(std::string_view text);

// Reads the members of one JSON object and remembers the first thing that is wrong with them. A member that
// is absent leaves its target alone. `path` stands before every name in messages: "", "[3]." or "resources.".
class Fields {
 public:
  // `field` is the object's own name: "task" makes its members "task.…"; "[3]" likewise; "" is the body.
  Fields(const Json& json, const std::string& field);

  // True when the member is there and right.
  bool text(std::string_view key, std::string& out, std::size_t min_characters, std::size_t max_characters);
  // One of `words`; any other is told which there are.
  bool word(std::string_view key, std::string& out, std::span<const std::string_view> words);
  bool short_name(std::string_view key, std::string& out);
  bool integer(std::string_view key, std::int64_t& out, std::int64_t min, std::int64_t max);
  bool integer(std::string_view key, int& out, std::int64_t min, std::int64_t max);
  bool number(std::string_view key, double& out, double min, double max);
  bool boolean(std::string_view key, bool& out);
  bool texts(std::string_view key, std::vector<std::string>& out, std::size_t max_count,
             std::size_t max_characters);
  // The member as it is, marked as known; nullptr when absent.
  const Json* any(std::string_view key);
  // Like any(), and null counts as absent.
  const Json* any_but_null(std::string_view key);
  void require(std::string_view key);

  void fail(std::string_view key, std::string_view what);  // "<name> <what>"
  void fail(Error error);
  void wrong_type(std::string_view key, const char* wanted, const Json& got);
  [[nodiscard]] std::string name(std::string_view key) const;
  [[nodiscard]] bool failed() const { return error_.has_value(); }

  // The first member that nobody asked for, unless `tolerant`; else the first error. A misspelt member is
  // named rather than the one that is missing for it.
  Status finish(bool tolerant = false);

 private:
  const Json& json_;
  std::string field_;
  std::vector<std::string_view> known_;
  std::optional<Error> error_;
};

}  // namespace drover::api
