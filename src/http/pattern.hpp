#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drover/http/message.hpp"
#include "drover/http/router.hpp"

namespace drover::http {

// "/jobs/{job}/logs" taken apart. Not for "*".
class Pattern {
 public:
  // nullopt: no leading '/', an empty segment or name, a name used twice, a stray brace. With `tail` the last
  // part, which has to be a name, stands for all that is left of a path, slashes included.
  static std::optional<Pattern> parse(std::string_view text, bool tail = false);
  [[nodiscard]] bool matches(const std::vector<std::string>& segments) const;
  // Values of the names; `segments` matches.
  [[nodiscard]] PathValues values(const std::vector<std::string>& segments) const;
  // A text that two patterns for the same paths have in common; literals sort before names.
  [[nodiscard]] std::string shape() const;

 private:
  struct Part {
    bool literal = true;
    std::string text;  // the literal, or the name
  };
  // How many of the segments count: not the empty one that a trailing slash leaves.
  [[nodiscard]] static std::size_t counted(const std::vector<std::string>& segments);

  std::vector<Part> parts_;
  bool tail_ = false;
};

// The decoded segments of a path; a trailing slash leaves an empty one at the end. nullopt at a broken escape
// or without a leading '/'.
std::optional<std::vector<std::string>> segments_of(const Request& request);

}  // namespace drover::http
