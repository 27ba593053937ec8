#include "drover/base/json.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "drover/base/text.hpp"

namespace drover {
namespace {
constexpr std::size_t kUsualMembers = 4;  // of an object: room for them is made at once
}

Json::Json(std::uint64_t value) {
  if (value <= static_cast<std::uint64_t>(INT64_MAX)) {
    value_ = static_cast<std::int64_t>(value);
  } else {
    value_ = Fraction{static_cast<double>(value), fmt::format("{}", value)};
  }
}

Json Json::object() {
  return Json(Object{});
}
Json Json::array() {
  return Json(Array{});
}

const double* Json::if_number(double& storage) const {
  if (const auto* integer = if_int()) {
    storage = static_cast<double>(*integer);
    return &storage;
  }
  if (const auto* fraction = if_fraction()) {
    storage = fraction->value;
    return &storage;
  }
  return nullptr;
}

std::optional<std::int64_t> Json::whole() const {
  if (const std::int64_t* number = if_int()) return *number;
  constexpr double kExact = 9'007'199'254'740'992;  // beyond 2^53 a double may stand for its neighbours
  const Fraction* fraction = if_fraction();
  if (fraction == nullptr || !(std::abs(fraction->value) <= kExact)) return std::nullopt;
  if (fraction->value != std::floor(fraction->value)) return std::nullopt;
  return static_cast<std::int64_t>(fraction->value);
}

const char* Json::type_name() const {
  static constexpr const char* kNames[] = {"null",   "boolean", "integer", "number",
                                           "string", "array",   "object"};
  return kNames[value_.index()];
}

const Json* Json::find(std::string_view key) const {
  const Object* members = if_object();
  if (members == nullptr) return nullptr;
  for (const Member& member : *members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

Json& Json::set(std::string key, Json value) {
  if (is_null()) value_ = Object{};
  Object& members = std::get<Object>(value_);
  for (Member& member : members) {
    if (member.key == key) {
      member.value = std::move(value);
      return *this;
    }
  }
  if (members.empty()) members.reserve(kUsualMembers);
  members.push_back(Member{std::move(key), std::move(value)});
  return *this;
}

Json& Json::push(Json value) {
  if (is_null()) value_ = Array{};
  std::get<Array>(value_).push_back(std::move(value));
  return *this;
}

void write_json_string(std::string_view text, std::string& out) {
  const auto plain = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; };
  out += '"';
  while (!text.empty()) {
    const auto run =
        static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), plain) - text.begin());
    out.append(text.substr(0, run));
    text.remove_prefix(run);
    if (text.empty()) break;
    const char c = text.front();
    text.remove_prefix(1);
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    }
  }
  out += '"';
}

namespace {

void write_fraction(const Json::Fraction& fraction, std::string& out) {
  if (!fraction.text.empty()) {
    out += fraction.text;
  } else if (std::isfinite(fraction.value)) {
    const std::string text = fmt::format("{}", fraction.value);
    out += text;
    // 1.0 stays a fraction when it is read again.
    if (text.find_first_of(".e") == std::string::npos) out += ".0";
  } else {
    out += "null";
  }
}

}  // namespace

void Json::write(std::string& out) const {
  if (is_null()) {
    out += "null";
  } else if (const auto* boolean = if_bool()) {
    out += *boolean ? "true" : "false";
  } else if (const auto* integer = if_int()) {
    const fmt::format_int digits(*integer);
    out.append(digits.data(), digits.size());
  } else if (const auto* fraction = if_fraction()) {
    write_fraction(*fraction, out);
  } else if (const auto* text = if_string()) {
    write_json_string(*text, out);
  } else if (const auto* elements = if_array()) {
    out += '[';
    for (std::size_t i = 0; i < elements->size(); ++i) {
      if (i > 0) out += ',';
      (*elements)[i].write(out);
    }
    out += ']';
  } else {
    const Object& members = std::get<Object>(value_);
    out += '{';
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i > 0) out += ',';
      write_json_string(members[i].key, out);
      out += ':';
      members[i].value.write(out);
    }
    out += '}';
  }
}

std::string Json::dump() const {
  std::string out;
  write(out);
  return out;
}

bool Json::operator==(const Json& other) const {
  if (value_.index() != other.value_.index()) return false;
  if (const auto* elements = if_array()) return *elements == *other.if_array();
  if (const auto* members = if_object()) {
    if (members->size() != other.if_object()->size()) return false;
    for (const Member& member : *members) {
      const Json* theirs = other.find(member.key);
      if (theirs == nullptr || !(member.value == *theirs)) return false;
    }
    return true;
  }
  if (const auto* fraction = if_fraction()) return fraction->value == other.if_fraction()->value;
  if (const auto* text = if_string()) return *text == *other.if_string();
  if (const auto* boolean = if_bool()) return *boolean == *other.if_bool();
  if (const auto* integer = if_int()) return *integer == *other.if_int();
  return true;
}

namespace {

// Builds a Json from the parser's events and refuses what RFC 8259 leaves open.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  Json result;
  std::string failure;
  std::size_t failed_at = 0;

  bool null() override { return put(Json()); }
  bool boolean(bool value) override { return put(Json(value)); }
  bool number_integer(number_integer_t value) override { return put(Json(value)); }
  bool number_unsigned(number_unsigned_t value) override { return put(Json(std::uint64_t{value})); }
  bool number_float(number_float_t value, const string_t& text) override {
    if (!std::isfinite(value)) return refuse("a number does not fit a double");
    return put(Json(Json::Fraction{value, text}));
  }
  bool string(string_t& value) override {
    if (value.find('\0') != std::string::npos) return refuse("a string holds the character U+0000");
    return put(Json(std::move(value)));
  }
  bool binary(binary_t&) override { return refuse("binary"); }

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }
  bool key(string_t& value) override {
    if (value.find('\0') != std::string::npos) return refuse("a member's name holds the character U+0000");
    Frame& frame = frames_.back();
    if (stands_in(frame, value)) return refuse("the member \"" + value + "\" stands twice in one object");
    frame.next_key = std::move(value);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    if (failure.empty()) {
      failed_at = position;
      // The library's own text starts with its error number in brackets, which tells a client nothing.
      const std::string_view text = error.what();
      const std::size_t colon = text.find(": ");
      failure = colon == std::string_view::npos ? "syntax error" : std::string(text.substr(colon + 2));
    }
    return false;
  }

 private:
  struct Frame {
    Json value;
    std::string next_key;
    // Of an object with more than kFewMembers. In order rather than hashed: a client that knows the hash
    // could choose names that all have the same, and make each look-up go through all of them.
    std::set<std::string> keys;
  };
  static constexpr std::size_t kFewMembers = 16;

  // A few names are compared one by one, which takes no memory; with many that would be quadratic.
  static bool stands_in(Frame& frame, const std::string& key) {
    if (frame.keys.empty()) {
      if (frame.value.find(key) != nullptr) return true;
      const Json::Object& members = *frame.value.if_object();
      if (members.size() < kFewMembers) return false;
      for (const Json::Member& member : members) frame.keys.insert(member.key);
    }
    return !frame.keys.insert(key).second;
  }
  bool refuse(std::string why) {
    failure = std::move(why);
    return false;
  }
  bool put(Json value) {
    if (++values_ > limits_.values) return refuse("too many values");
    if (frames_.empty()) {
      result = std::move(value);
      return true;
    }
    Frame& frame = frames_.back();
    if (Json::Object* members = frame.value.if_object()) {
      if (members->empty()) members->reserve(kUsualMembers);
      members->push_back(Json::Member{std::move(frame.next_key), std::move(value)});
    } else {
      frame.value.if_array()->push_back(std::move(value));
    }
    return true;
  }
  bool open(Json container) {
    if (frames_.size() >= static_cast<std::size_t>(limits_.depth)) {
      return refuse(fmt::format("nested deeper than {}", limits_.depth));
    }
    frames_.push_back(Frame{std::move(container), {}, {}});
    return true;
  }
  bool close() {
    Json done = std::move(frames_.back().value);
    frames_.pop_back();
    return put(std::move(done));
  }

  JsonLimits limits_;
  std::vector<Frame> frames_;
  std::size_t values_ = 0;
};

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (trim(text).empty()) return invalid("", "the body is empty; JSON was expected");
  // The library takes a NUL for the end of the text, and would pass over what follows.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    return invalid("", fmt::format("not valid JSON at byte {}: a NUL", nul + 1));
  Builder builder(limits);
  bool ok = false;
  try {
    ok = nlohmann::json::sax_parse(text.begin(), text.end(), &builder, nlohmann::json::input_format_t::json,
                                   true);
  } catch (const std::exception&) {
    ok = false;
  }
  if (ok) return std::move(builder.result);
  std::string message = "not valid JSON";
  if (builder.failed_at > 0) message += fmt::format(" at byte {}", builder.failed_at);
  // The library quotes what it read last, which may be anything.
  return invalid("",
                 message + ": " + (builder.failure.empty() ? "syntax error" : printable(builder.failure)));
}

}  // namespace drover
