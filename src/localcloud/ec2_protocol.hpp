#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drover/base/result.hpp"

namespace drover::localcloud {

// An EC2 error: its code goes into Error::detail.
Error ec2_error(std::string code, std::string message);
// The HTTP status EC2 gives with the code.
int ec2_status(std::string_view code);

// The parameters of a Query request: "Filter.1.Value.2" is a path. Lists are flattened, numbered from 1.
class Params {
 public:
  Params() = default;
  explicit Params(const std::vector<std::pair<std::string, std::string>>& form);

  [[nodiscard]] bool has(std::string_view name) const { return values_.contains(name); }
  [[nodiscard]] std::string text(std::string_view name) const;  // empty when absent
  // Decimal integer; an EC2 error when it is not one. nullopt when absent.
  [[nodiscard]] Result<std::optional<std::int64_t>> integer(std::string_view name) const;
  // Of a parameter that was found to be an integer of this range; 0 when absent.
  [[nodiscard]] int number(std::string_view name) const;
  [[nodiscard]] bool is_true(std::string_view name) const { return text(name) == "true"; }
  // Values of Name.1, Name.2, … by number.
  [[nodiscard]] std::vector<std::string> list(std::string_view name) const;
  // What stands below Name.1, Name.2, … by number.
  [[nodiscard]] std::vector<Params> structs(std::string_view name) const;
  [[nodiscard]] const std::map<std::string, std::string, std::less<>>& all() const { return values_; }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

// The parameters of a call's body; an EC2 error for a broken form, for a name that stands twice, and for what
// is not UTF-8 or holds a NUL: it could be given back neither as XML nor from the disk.
Result<Params> parse_params(std::string_view body);
Result<Params> make_params(const std::vector<std::pair<std::string, std::string>>& form);

// Writes XML text; names are ours, values are escaped.
class Xml {
 public:
  Xml& open(std::string_view name);
  Xml& close(std::string_view name);
  Xml& leaf(std::string_view name, std::string_view value);
  Xml& add(std::string_view written);  // by another Xml
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// <RunInstancesResponse xmlns=…><requestId/>…</…>
std::string ec2_response(std::string_view action, std::string_view request_id, std::string_view body);
std::string ec2_error_response(const Error& error, std::string_view request_id);

}  // namespace drover::localcloud
