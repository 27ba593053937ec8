#include "request_rules.hpp"

#include "drover/base/limits.hpp"
#include "drover/base/log.hpp"
#include "drover/base/text.hpp"
#include "drover/http/problem.hpp"

namespace drover::transport {

namespace {

bool plausible_host(std::string_view host) {
  return host.find_first_of(" \t/\\?#@,\"<>") == std::string_view::npos;
}

}  // namespace

std::optional<http::Response> check_fields(const http::Request& request, int minor, bool chunked) {
  int hosts = 0;
  int encodings = 0;
  bool length = false;
  for (const auto& [name, value] : request.headers) {
    if (name == "host") {
      ++hosts;
      if (!plausible_host(value)) return bad_request("The Host field is malformed.");
    }
    if (name == "transfer-encoding") ++encodings;
    if (name == "content-length") length = true;
  }
  if (hosts > 1 || (hosts == 0 && minor > 0)) return bad_request("A request needs exactly one Host field.");
  if (encodings > 0 && length) return bad_request("Content-Length and Transfer-Encoding exclude each other.");
  if (encodings > 1 || (encodings == 1 && minor == 0))
    return bad_request("Transfer-Encoding does not fit here.");
  if (encodings == 1 && (!chunked || !iequals(request.header("transfer-encoding"), "chunked"))) {
    return http::problem(501, "not_implemented", "The only transfer coding that is taken is 'chunked'.");
  }
  const std::string_view expect = request.header("expect");
  if (!expect.empty() && !iequals(expect, "100-continue")) {
    return http::problem(417, "expectation_failed",
                         "The only expectation that can be met is '100-continue'.");
  }
  return std::nullopt;
}

http::Response instead_of_stream(const http::Response& stream, http::Response refusal) {
  refusal.close = stream.close;
  for (const auto& [name, value] : stream.headers) {
    if (iequals(name, "x-request-id")) refusal.with(name, value);
  }
  return refusal;
}

http::Response bad_request(std::string_view detail) {
  return http::problem(400, "bad_request", detail);
}
http::Response version_not_supported() {
  return http::problem(505, "version_not_supported", "This server speaks HTTP/1.1 and HTTP/1.0.");
}
http::Response body_too_large(std::int64_t limit) {
  return http::problem(413, "too_large",
                       fmt::format("The body is larger than the {} bytes this path takes.", limit));
}
http::Response header_too_large(std::size_t limit) {
  return http::problem(431, "header_too_large", fmt::format("The header is larger than {} bytes.", limit));
}
http::Response target_too_long() {
  return http::problem(414, "uri_too_long",
                       fmt::format("The target is longer than {} bytes.", limits::kTargetBytes));
}

}  // namespace drover::transport
