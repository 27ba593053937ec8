#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "drover/base/result.hpp"
#include "drover/http/message.hpp"

namespace drover::http {

// An RFC 9457 problem: application/problem+json with type, title, status, detail, code, and field where
// known; `message` and `error` repeat the detail for older clients. Retry-After is set when the error says
// when to try again. The message of an internal error is logged and left out of the answer.
Response problem(const Error& error);
// For statuses that come from HTTP itself (404 of a path, 405, 413, 415, 431…).
Response problem(int status, std::string_view code, std::string_view detail);
// Errc → status; exhaustive.
int status_of(Errc code);
// The `code` member of a problem: "not_found" for Errc::not_found.
std::string_view code_name(Errc code);

// What an answer repeats of a text that a client sent, or that quotes one: printable, and in part where the
// text is longer. Names of members may be megabytes long; answers of that size to clients that do not read
// them would fill the memory.
std::string quoted(std::string_view text, std::size_t max_bytes = 2048);

}  // namespace drover::http
