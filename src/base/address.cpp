#include "drover/base/address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include "drover/base/text.hpp"

namespace drover {

std::optional<ListenAddress> parse_listen(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const auto port = digits.starts_with('-') || digits.starts_with('+') ? std::nullopt : parse_int(digits);
  if (!port || *port < 0 || *port > 65'535) return std::nullopt;

  ListenAddress address;
  address.port = static_cast<std::uint16_t>(*port);
  if (host.starts_with('[') && host.ends_with(']')) {
    address.host = host.substr(1, host.size() - 2);
    in6_addr six{};
    if (inet_pton(AF_INET6, address.host.c_str(), &six) != 1) return std::nullopt;
    address.loopback = IN6_IS_ADDR_LOOPBACK(&six);
    return address;
  }
  address.host = host;
  in_addr four{};
  if (inet_pton(AF_INET, address.host.c_str(), &four) != 1) return std::nullopt;
  address.loopback = (ntohl(four.s_addr) >> 24) == 127;
  return address;
}

std::string base_url(std::string_view host, std::uint16_t port) {
  const bool six = host.find(':') != std::string_view::npos;
  return six ? fmt::format("http://[{}]:{}", host, port) : fmt::format("http://{}:{}", host, port);
}

}  // namespace drover
