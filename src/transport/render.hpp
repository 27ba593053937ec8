#pragma once

#include <cstdint>
#include <string>

#include "drover/base/clock.hpp"
#include "drover/http/message.hpp"

namespace drover::transport {

struct Framing {
  std::int64_t length = 0;  // of the body, also where it is left out (HEAD)
  bool close = false;
  bool keep_alive_1_0 = false;  // the client speaks 1.0 and has to be told
};

// Whether the status can have a body at all.
bool has_body(int status);
// Status line and fields through the blank line. Fields that are the transport's own are left out; one with a
// control character or a malformed name is dropped and logged, so that no value can start a field of its own.
std::string render_head(const http::Response& response, const Framing& framing,
                        const std::string& server_name, WallTime now);

}  // namespace drover::transport
