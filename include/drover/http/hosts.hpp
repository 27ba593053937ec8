#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "drover/base/result.hpp"
#include "drover/http/message.hpp"

namespace drover::http {

// "Example.ORG.:8080" → "example.org", "[::1]:80" → "::1"; empty for what is no host with an optional port.
std::string host_name(std::string_view authority);
// The host of "http://user@host:port/path", in the same form.
std::string url_host(std::string_view url);
// Letters, digits, dots, hyphens and underscores: what can be one of the names that a server answers to.
bool valid_host_name(std::string_view text);

// The names that a server answers to while it trusts whoever reaches its port. A page in a browser can have
// the name of its own server point to this machine (DNS rebinding); its requests then are of the same origin,
// and nothing but the name in them tells them from an operator's. No foreign page can have an address or
// "localhost" for its name.
class ServedHosts {
 public:
  // IP addresses and "localhost" are served always, `names` beside them.
  explicit ServedHosts(const std::vector<std::string>& names = {});
  [[nodiscard]] bool serves(std::string_view authority) const;
  // 421 for a request to another name; `remedy` says where names are set. HTTP/1.0 without Host is served: no
  // browser sends that.
  [[nodiscard]] std::optional<Response> refusal(const Request& head, std::string_view remedy) const;

 private:
  std::set<std::string, std::less<>> names_;
};

// A browser names the page that sends a request. A page of another origin has no business with a server that
// trusts whoever reaches its port: a browser on the same machine does, whatever it shows.
Status check_origin(const Request& request);

}  // namespace drover::http
