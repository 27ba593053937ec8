#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "drover/base/clock.hpp"
#include "drover/http/message.hpp"

namespace drover::transport {

struct Framing {
  enum class Kind { length, chunks, until_close };

  std::int64_t length = 0;  // of the body, also where it is left out (HEAD)
  bool close = false;
  bool keep_alive_1_0 = false;  // tell a client of HTTP/1.0 that the connection stays open
  Kind kind = Kind::length;     // how the client knows where the body ends
};

// Whether the status can have a body at all.
bool has_body(int status);
// The fields that a handler may set and a client may see, in order: without those that are the transport's
// own, without any whose name or value would break the header (logged), and with a Date in front. A handler
// that runs on another clock than this machine's brings its own Date.
void fields_to_send(const http::Response& response, const std::string& server_name, WallTime now,
                    const std::function<void(const std::string& name, const std::string& value)>& send);
// Whether a name is a token and a value free of control characters.
bool is_sound_field(std::string_view name, std::string_view value);
// Status line and fields through the blank line.
std::string render_head(const http::Response& response, const Framing& framing,
                        const std::string& server_name, WallTime now);

}  // namespace drover::transport
