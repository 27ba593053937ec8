#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/secret.hpp"

// AWS Signature Version 4 for requests with a header signature (docs: "Create a signed AWS API request").
// For every service but S3, which takes the path as it was sent. Pure: no clock, no I/O. Both sides are here:
// the client signs, the local cloud verifies by computing the same again.
namespace drover::aws {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Credentials {
  std::string access_key;
  Secret secret_key;
  Secret session_token;                // empty for long-lived keys
  std::optional<WallTime> expiration;  // nullopt: does not expire
};

// <date>/<region>/<service>/aws4_request
struct CredentialScope {
  std::string date;  // yyyymmdd
  std::string region;
  std::string service;
  bool operator==(const CredentialScope&) const = default;
};
std::string to_string(const CredentialScope& scope);

// A request as it is, or was, on the wire. Views must outlive the call.
struct RequestParts {
  std::string_view method = "POST";
  std::string_view path = "/";  // as sent: percent-encoded, without the query; empty counts as "/"
  std::string_view query = {};  // as sent, without '?'
  std::span<const std::pair<std::string, std::string>> headers = {};  // any case, Host among them
  std::string_view body = {};
};

// "20260102T030405Z", and back; parsing takes that one form only.
std::string amz_date(WallTime time);
std::optional<WallTime> parse_amz_date(std::string_view text);

// `signed_headers`: lower-case, sorted, without repetition. Values are trimmed, inner runs of spaces become
// one space, equal names are joined with ','. A name that the request does not carry counts as present and
// empty.
std::string canonical_request(const RequestParts& request, std::span<const std::string> signed_headers);
// `date` as amz_date() writes it.
std::string string_to_sign(std::string_view date, const CredentialScope& scope, std::string_view canonical);
// Hex of the signature.
std::string signature(const Secret& secret_key, const CredentialScope& scope, std::string_view to_sign);

// Signs every header of `request` (Host must be among them and hold a port that is not the scheme's own) and
// those it adds. Returns what to add: X-Amz-Date, X-Amz-Security-Token when there is one, Authorization.
Headers sign(const RequestParts& request, const Credentials& credentials, WallTime time,
             std::string_view region, std::string_view service);

// What an Authorization header claims.
struct Authorization {
  std::string access_key;
  CredentialScope scope;
  std::vector<std::string> signed_headers;  // lower-case, sorted, unique, not empty
  std::string signature;                    // 64 lower-case hex digits
};
// nullopt unless the header has the form that sign() writes (separators ", " or ",").
std::optional<Authorization> parse_authorization(std::string_view header);

// The signature that a received request ought to carry, for a comparison in constant time with
// claim.signature. The caller still checks the access key, the age of the date, that scope.date agrees with
// it, and that "host" is among the signed headers. `date` is the request's X-Amz-Date.
std::string expected_signature(const RequestParts& request, const Authorization& claim, std::string_view date,
                               const Secret& secret_key);

}  // namespace drover::aws
