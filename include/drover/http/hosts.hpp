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
// Whether the text may be one of the names of ServedHosts: letters, digits, dots, hyphens, underscores.
bool valid_host_name(std::string_view text);

// The host names that a server answers to while it trusts everybody who reaches its port. The owner of a web
// page can let the name of the page's server resolve to this machine (DNS rebinding). A browser then lets the
// page send requests here as to its own server, and only the host name in them differs from that in an
// operator's requests. The host of a foreign page is never an address or "localhost".
class ServedHosts {
 public:
  // `names` are served in addition to IP addresses and "localhost".
  explicit ServedHosts(const std::vector<std::string>& names = {});
  [[nodiscard]] bool serves(std::string_view authority) const;
  // 421 for a request to another name; `remedy` says where names are set. HTTP/1.0 without Host is served: no
  // browser sends that.
  [[nodiscard]] std::optional<Response> refusal(const Request& head, std::string_view remedy) const;

 private:
  std::set<std::string, std::less<>> names_;
};

// Refuses a request that a browser sends for a page of another origin (forbidden). The server trusts
// everybody who reaches its port, and a browser on the operator's machine reaches it for any page that it
// shows.
Status check_origin(const Request& request);

}  // namespace drover::http
