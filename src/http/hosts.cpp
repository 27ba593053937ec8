#include "drover/http/hosts.hpp"

#include <algorithm>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include "drover/base/text.hpp"
#include "drover/http/problem.hpp"

namespace drover::http {

namespace {

bool ip_address(const std::string& host) {
  in6_addr any{};
  if (::inet_pton(AF_INET, host.c_str(), &any) == 1) return true;
  return ::inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &any) == 1;
}

bool is_port(std::string_view text) {
  return text.size() <= 5 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::string host_name(std::string_view authority) {
  std::string_view host = authority;
  std::string_view port;
  const bool bracketed = host.starts_with('[');
  const std::size_t end = bracketed ? host.find(']') : host.find(':');
  if (bracketed && end == std::string_view::npos) return {};
  if (end != std::string_view::npos) {
    port = host.substr(end + (bracketed ? 1 : 0));
    host = host.substr(0, end);
  }
  if (!port.empty() && (port.front() != ':' || !is_port(port.substr(1)))) return {};
  if (bracketed) {
    const std::string inside(host.substr(1));
    return inside.find(':') != std::string::npos && ip_address(inside) ? lower(inside) : std::string();
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  return valid_host_name(host) ? lower(host) : std::string();
}

std::string url_host(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  std::string_view authority = url.substr(scheme + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (const std::size_t user = authority.rfind('@'); user != std::string_view::npos)
    authority.remove_prefix(user + 1);
  return host_name(authority);
}

bool valid_host_name(std::string_view text) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  };
  return !text.empty() && text.size() <= 253 && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), good);
}

ServedHosts::ServedHosts(const std::vector<std::string>& names) : names_{"localhost"} {
  for (const std::string& name : names) {
    if (std::string host = host_name(name); !host.empty()) names_.insert(std::move(host));
  }
}

bool ServedHosts::serves(std::string_view authority) const {
  const std::string host = host_name(authority);
  return !host.empty() && (names_.contains(host) || ip_address(host));
}

std::optional<Response> ServedHosts::refusal(const Request& head, std::string_view remedy) const {
  if (!head.named_host() || serves(head.host())) return std::nullopt;
  return problem(
      421, "misdirected_request",
      fmt::format("The name \"{}\" is not served. Requests need no token here, so they are taken under "
                  "an IP address, localhost and names that are set alone: {}.",
                  head.host(), remedy));
}

Status check_origin(const Request& request) {
  const std::string_view origin = request.header("origin");
  if (origin.empty()) return Ok{};
  const std::size_t scheme = origin.find("://");
  if (scheme != std::string_view::npos && iequals(origin.substr(scheme + 3), request.host())) return Ok{};
  return forbidden("requests from pages of another origin are not accepted");
}

}  // namespace drover::http
