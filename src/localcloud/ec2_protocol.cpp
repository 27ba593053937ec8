#include "ec2_protocol.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "drover/base/text.hpp"

namespace drover::localcloud {

namespace {

struct CodeStatus {
  std::string_view code;
  int status;
};
// Everything else is 400.
constexpr std::array kStatuses = {
    CodeStatus{"AuthFailure", 401},
    CodeStatus{"MissingAuthenticationToken", 403},
    CodeStatus{"SignatureDoesNotMatch", 403},
    CodeStatus{"UnauthorizedOperation", 403},
    CodeStatus{"OptInRequired", 403},
    CodeStatus{"DryRunOperation", 412},
    CodeStatus{"InternalError", 500},
    CodeStatus{"InternalFailure", 500},
    CodeStatus{"InsufficientInstanceCapacity", 500},
    CodeStatus{"InsufficientHostCapacity", 500},
    CodeStatus{"InsufficientCapacityOnHost", 500},
    CodeStatus{"InsufficientFreeAddressesInSubnet", 400},
    CodeStatus{"RequestLimitExceeded", 503},
    CodeStatus{"Unavailable", 503},
    CodeStatus{"ServiceUnavailable", 503},
};

std::string escape(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const auto byte = static_cast<unsigned char>(c);
    const std::string_view three = value.substr(i, 3);
    if (three == "\xEF\xBF\xBE" || three == "\xEF\xBF\xBF") {  // U+FFFE and U+FFFF are not XML's either
      out += "\xEF\xBF\xBD";
      i += 2;
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '\r') {
      out += "&#13;";
    } else if (byte < 0x20 && c != '\n' && c != '\t') {
      out += "\xEF\xBF\xBD";  // XML has no way to write other control characters
    } else {
      out += c;
    }
  }
  return out;
}

// The number that follows "name." in `key`, and where it ends.
std::optional<std::pair<std::int64_t, std::size_t>> index_in(std::string_view key, std::string_view name) {
  if (key.size() <= name.size() + 1 || !key.starts_with(name) || key[name.size()] != '.') return std::nullopt;
  const auto rest = key.substr(name.size() + 1);
  const auto number = parse_int(rest.substr(0, rest.find('.')));
  if (!number || *number < 1) return std::nullopt;
  return std::pair{*number, std::min(key.size(), name.size() + 1 + std::min(rest.find('.'), rest.size()))};
}

}  // namespace

Error ec2_error(std::string code, std::string message) {
  return Error{Errc::invalid, std::move(message), {}, std::move(code)};
}

int ec2_status(std::string_view code) {
  for (const auto& entry : kStatuses) {
    if (entry.code == code) return entry.status;
  }
  return 400;
}

Params::Params(const std::vector<std::pair<std::string, std::string>>& form) {
  for (const auto& [name, value] : form) values_.emplace(name, value);
}

std::string Params::text(std::string_view name) const {
  const auto at = values_.find(name);
  return at == values_.end() ? std::string() : at->second;
}

Result<std::optional<std::int64_t>> Params::integer(std::string_view name) const {
  const auto at = values_.find(name);
  if (at == values_.end()) return std::optional<std::int64_t>{};
  if (const auto number = parse_int(at->second)) return std::optional<std::int64_t>{*number};
  return ec2_error("InvalidParameterValue",
                   "Invalid value '" + at->second + "' for " + std::string(name) + ". Must be an integer.");
}

int Params::number(std::string_view name) const {
  return static_cast<int>(parse_int(text(name)).value_or(0));
}

std::vector<std::string> Params::list(std::string_view name) const {
  std::map<std::int64_t, std::string> found;
  for (const auto& [key, value] : values_) {
    const auto index = index_in(key, name);
    if (index && index->second == key.size()) found.emplace(index->first, value);
  }
  std::vector<std::string> out;
  for (auto& [index, value] : found) out.push_back(std::move(value));
  return out;
}

std::vector<Params> Params::structs(std::string_view name) const {
  std::map<std::int64_t, Params> found;
  for (const auto& [key, value] : values_) {
    const auto index = index_in(key, name);
    if (!index || index->second >= key.size()) continue;
    found[index->first].values_.emplace(key.substr(index->second + 1), value);
  }
  std::vector<Params> out;
  for (auto& [index, params] : found) out.push_back(std::move(params));
  return out;
}

Result<Params> parse_params(std::string_view body) {
  const auto form = parse_form(body);
  if (!form) return ec2_error("MalformedQueryString", "The form in the body is malformed.");
  return make_params(*form);
}

Result<Params> make_params(const std::vector<std::pair<std::string, std::string>>& form) {
  const auto text = [](const auto& pair) { return storable_text(pair.first) && storable_text(pair.second); };
  if (!std::ranges::all_of(form, text)) {
    return ec2_error("MalformedQueryString", "A parameter is not UTF-8 text.");
  }
  Params params(form);
  if (params.all().size() == form.size()) return params;
  return ec2_error("InvalidParameterCombination", "A parameter is specified more than once.");
}

Xml& Xml::open(std::string_view name) {
  text_.append("<").append(name).append(">");
  return *this;
}

Xml& Xml::close(std::string_view name) {
  text_.append("</").append(name).append(">");
  return *this;
}

Xml& Xml::leaf(std::string_view name, std::string_view value) {
  text_.append("<").append(name).append(">").append(escape(value)).append("</").append(name).append(">");
  return *this;
}

Xml& Xml::add(std::string_view written) {
  text_.append(written);
  return *this;
}

std::string ec2_response(std::string_view action, std::string_view request_id, std::string_view body) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<";
  out.append(action).append("Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>");
  out.append(request_id).append("</requestId>").append(body).append("</").append(action).append("Response>");
  return out;
}

std::string ec2_error_response(const Error& error, std::string_view request_id) {
  Xml xml;
  xml.open("Response").open("Errors").open("Error");
  xml.leaf("Code", error.detail.empty() ? "InternalError" : error.detail).leaf("Message", error.message);
  xml.close("Error").close("Errors").leaf("RequestID", request_id).close("Response");
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + xml.text();
}

}  // namespace drover::localcloud
