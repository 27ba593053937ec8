#pragma once

#include <string>
#include <string_view>

#include "drover/base/result.hpp"

namespace drover::aws {

// Where a service is reached.
struct Endpoint {
  std::string url;   // "https://host[:port]/path", as sent
  std::string host;  // the Host header: with the port unless it is the scheme's own
  std::string path;  // at least "/"
};

// http or https, no user, no query, no fragment, no space or control character.
Result<Endpoint> parse_endpoint(std::string_view url);
// "https://ec2.<region>.amazonaws.com/", in China with its own domain.
std::string default_endpoint(std::string_view service, std::string_view region);

}  // namespace drover::aws
