#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace drover {

struct ListenAddress {
  std::string host;  // numeric, without brackets
  std::uint16_t port = 0;
  bool loopback = false;
};

// "127.0.0.1:8080", "[::1]:0": a numeric address and a port; nullopt for anything else.
std::optional<ListenAddress> parse_listen(std::string_view text);
// "http://127.0.0.1:8080", "http://[::1]:8080".
std::string base_url(std::string_view host, std::uint16_t port);

}  // namespace drover
