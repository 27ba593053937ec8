#include "drover/aws/endpoint.hpp"

#include <algorithm>

#include "drover/base/text.hpp"

namespace drover::aws {

Result<Endpoint> parse_endpoint(std::string_view url) {
  const auto refuse = [&](const char* why) {
    return invalid("endpoint", "'" + std::string(url) + "' is no endpoint: " + why);
  };
  const bool https = url.starts_with("https://");
  if (!https && !url.starts_with("http://")) return refuse("it must start with http:// or https://");
  if (url.find_first_of("?#@\\") != std::string_view::npos)
    return refuse("no user, query or fragment may be in it");
  if (std::any_of(url.begin(), url.end(), [](char c) { return c <= ' ' || c > '~'; })) {
    return refuse("only visible ASCII may be in it");
  }
  const auto rest = url.substr(https ? 8 : 7);
  const auto slash = rest.find('/');
  std::string host = lower(rest.substr(0, slash));
  const std::string path = slash == std::string_view::npos ? "/" : std::string(rest.substr(slash));
  const std::string full = std::string(https ? "https://" : "http://") + host + path;

  const auto colon = host.rfind(':');
  const auto bracket = host.rfind(']');  // of an IPv6 address, whose colons are no port's
  if (colon != std::string::npos && (bracket == std::string::npos || colon > bracket)) {
    const auto port = parse_int(std::string_view(host).substr(colon + 1));
    if (!port || *port < 1 || *port > 65535) return refuse("its port is not a number from 1 to 65535");
    if (*port == (https ? 443 : 80)) host.resize(colon);
  }
  if (host.empty() || host.front() == ':') return refuse("it names no host");
  return Endpoint{full, host, path};
}

std::string default_endpoint(std::string_view service, std::string_view region) {
  std::string out = "https://" + std::string(service) + '.' + std::string(region) + ".amazonaws.com";
  return out + (region.starts_with("cn-") ? ".cn/" : "/");
}

}  // namespace drover::aws
