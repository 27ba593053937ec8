#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "drover/http/message.hpp"

namespace drover::transport {

// The largest refused body that is read away, so that its connection can go on.
inline constexpr std::int64_t kReadAwayBytes = 64 * 1024;

// Checks the fields that say where a body ends. They must be there once and be clear: requests are smuggled
// past a proxy by fields that it reads differently. `minor` is that of HTTP/1.x; `chunked`: the transport
// reads the body in chunks. A Response refuses the request.
std::optional<http::Response> check_fields(const http::Request& request, int minor, bool chunked);

// `refusal` in place of an answer that is a stream and cannot be sent: with the request id of that answer,
// and closing the connection if that would have.
http::Response instead_of_stream(const http::Response& stream, http::Response refusal);

http::Response bad_request(std::string_view detail);
http::Response version_not_supported();
http::Response body_too_large(std::int64_t limit);
http::Response header_too_large(std::size_t limit);
http::Response target_too_long();

}  // namespace drover::transport
