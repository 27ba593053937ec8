#include "drover/aws/sigv4.hpp"

#include <algorithm>

#include "drover/base/text.hpp"

namespace drover::aws {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kTerminator = "aws4_request";

std::string canonical_path(const RequestParts& request) {
  if (request.path.empty()) return "/";
  std::string out;
  bool first = true;
  for (const auto segment : split(request.path, '/')) {
    if (!first) out += '/';
    first = false;
    out += percent_encode(segment);
  }
  return out;
}

std::string encode_again(std::string_view sent) {
  const auto plain = percent_decode(sent);
  return percent_encode(plain ? std::string_view(*plain) : sent);
}

std::string canonical_query(std::string_view query) {
  if (query.empty()) return {};
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto part : split(query, '&')) {
    if (part.empty()) continue;
    const auto equals = part.find('=');
    const auto value = equals == std::string_view::npos ? std::string_view{} : part.substr(equals + 1);
    pairs.emplace_back(encode_again(part.substr(0, equals)), encode_again(value));
  }
  std::sort(pairs.begin(), pairs.end());
  std::string out;
  for (const auto& [name, value] : pairs) {
    if (!out.empty()) out += '&';
    out += name;
    out += '=';
    out += value;
  }
  return out;
}

std::string canonical_value(std::string_view value) {
  std::string out;
  for (const char c : trim(value)) {
    if (c == ' ' && !out.empty() && out.back() == ' ') continue;
    out += c;
  }
  return out;
}

std::string join(std::span<const std::string> words, char separator) {
  std::string out;
  for (const auto& word : words) {
    if (!out.empty()) out += separator;
    out += word;
  }
  return out;
}

std::vector<std::string> names_of(std::span<const std::pair<std::string, std::string>> headers) {
  std::vector<std::string> names;
  for (const auto& [name, value] : headers) names.push_back(lower(name));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

// Removes `prefix` from the front of `text`; false when it is not there.
bool eat(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool parse_credential(std::string_view text, Authorization& out) {
  const auto parts = split(text, '/');
  if (parts.size() != 5 || parts[4] != kTerminator) return false;
  for (const auto part : parts) {
    if (part.empty()) return false;
  }
  out.access_key = parts[0];
  out.scope = {std::string(parts[1]), std::string(parts[2]), std::string(parts[3])};
  return true;
}

bool parse_signed_headers(std::string_view text, Authorization& out) {
  for (const auto name : split(text, ';')) {
    if (name.empty() || lower(name) != name) return false;
    if (!out.signed_headers.empty() && out.signed_headers.back() >= name) return false;
    out.signed_headers.emplace_back(name);
  }
  return !out.signed_headers.empty();
}

}  // namespace

std::string to_string(const CredentialScope& scope) {
  return scope.date + '/' + scope.region + '/' + scope.service + '/' + std::string(kTerminator);
}

std::string amz_date(WallTime time) {
  std::string text = to_rfc3339(std::chrono::floor<std::chrono::seconds>(time));
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text;
}

std::optional<WallTime> parse_amz_date(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  std::string long_form(text);
  for (const std::size_t at : {13U, 11U}) long_form.insert(at, ":");
  for (const std::size_t at : {6U, 4U}) long_form.insert(at, "-");
  return parse_rfc3339(long_form);
}

std::string canonical_request(const RequestParts& request, std::span<const std::string> signed_headers) {
  std::string out(request.method);
  out += '\n' + canonical_path(request) + '\n' + canonical_query(request.query) + '\n';
  for (const auto& name : signed_headers) {
    out += name + ':';
    bool first = true;
    for (const auto& [key, value] : request.headers) {
      if (!iequals(key, name)) continue;
      if (!first) out += ',';
      first = false;
      out += canonical_value(value);
    }
    out += '\n';
  }
  out += '\n' + join(signed_headers, ';') + '\n' + to_hex(sha256(request.body));
  return out;
}

std::string string_to_sign(std::string_view date, const CredentialScope& scope, std::string_view canonical) {
  std::string out(kAlgorithm);
  out += '\n';
  out += date;
  out += '\n' + to_string(scope) + '\n' + to_hex(sha256(canonical));
  return out;
}

std::string signature(const Secret& secret_key, const CredentialScope& scope, std::string_view to_sign) {
  const Secret start("AWS4" + secret_key.reveal());
  Sha256 date_key = hmac_sha256(start.reveal(), scope.date);
  Sha256 region_key = hmac_sha256(bytes_of(date_key), scope.region);
  Sha256 service_key = hmac_sha256(bytes_of(region_key), scope.service);
  Sha256 signing_key = hmac_sha256(bytes_of(service_key), kTerminator);
  std::string out = to_hex(hmac_sha256(bytes_of(signing_key), to_sign));
  for (Sha256* key : {&date_key, &region_key, &service_key, &signing_key}) wipe(*key);
  return out;
}

Headers sign(const RequestParts& request, const Credentials& credentials, WallTime time,
             std::string_view region, std::string_view service) {
  const std::string date = amz_date(time);
  Headers added{{"X-Amz-Date", date}};
  if (!credentials.session_token.empty()) {
    added.emplace_back("X-Amz-Security-Token", credentials.session_token.reveal());
  }
  Headers all(request.headers.begin(), request.headers.end());
  all.insert(all.end(), added.begin(), added.end());
  RequestParts complete = request;
  complete.headers = all;

  const CredentialScope scope{date.substr(0, 8), std::string(region), std::string(service)};
  const auto names = names_of(all);
  const auto to_sign = string_to_sign(date, scope, canonical_request(complete, names));
  added.emplace_back("Authorization", std::string(kAlgorithm) + " Credential=" + credentials.access_key +
                                          '/' + to_string(scope) + ", SignedHeaders=" + join(names, ';') +
                                          ", Signature=" + signature(credentials.secret_key, scope, to_sign));
  return added;
}

std::optional<Authorization> parse_authorization(std::string_view header) {
  header = trim(header);
  if (!eat(header, kAlgorithm) || !eat(header, " ")) return std::nullopt;
  Authorization out;
  bool credential = false;
  bool names = false;
  for (auto part : split(header, ',')) {
    part = trim(part);
    if (eat(part, "Credential=")) {
      if (credential || !parse_credential(part, out)) return std::nullopt;
      credential = true;
    } else if (eat(part, "SignedHeaders=")) {
      if (names || !parse_signed_headers(part, out)) return std::nullopt;
      names = true;
    } else if (eat(part, "Signature=")) {
      if (!out.signature.empty() || part.size() != 64 || !is_lower_hex(part)) return std::nullopt;
      out.signature = part;
    } else {
      return std::nullopt;
    }
  }
  if (!credential || !names || out.signature.empty()) return std::nullopt;
  return out;
}

std::string expected_signature(const RequestParts& request, const Authorization& claim, std::string_view date,
                               const Secret& secret_key) {
  const auto canonical = canonical_request(request, claim.signed_headers);
  return signature(secret_key, claim.scope, string_to_sign(date, claim.scope, canonical));
}

}  // namespace drover::aws
