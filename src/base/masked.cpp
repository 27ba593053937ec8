#include "drover/base/masked.hpp"

#include <algorithm>

namespace drover {
namespace {

constexpr std::string_view kMask = "***";

// Up to the last '@' before a space: a password that should have been encoded may hold '/' and '@' itself.
void mask_urls(std::string& text) {
  for (std::size_t at = text.find("://"); at != std::string::npos; at = text.find("://", at)) {
    at += 3;
    const std::size_t end = std::min(text.size(), text.find_first_of(" \t\n\"'", at));
    const std::size_t host = end > at ? text.rfind('@', end - 1) : std::string::npos;
    const std::size_t password = text.find(':', at);
    if (host == std::string::npos || host < at || password > host) continue;
    text.replace(password + 1, host - password - 1, kMask);
  }
}

// "password=…", in quotes or up to a space or the next parameter of a URL.
void mask_keywords(std::string& text) {
  constexpr std::string_view kKey = "password=";
  for (std::size_t at = text.find(kKey); at != std::string::npos; at = text.find(kKey, at)) {
    at += kKey.size();
    std::size_t end = at;
    if (end < text.size() && text[end] == '\'') {
      for (++end; end < text.size() && text[end] != '\''; ++end) {
        if (text[end] == '\\') ++end;
      }
      end = std::min(text.size(), end + 1);
    } else {
      end = std::min(text.size(), text.find_first_of(" \t\n&\"", at));
    }
    text.replace(at, end - at, kMask);
  }
}

// What libpq takes for a host where the password holds an '@': could not translate host name "rd@db" to
// address.
void mask_hosts(std::string& text) {
  constexpr std::string_view kKey = "host name \"";
  for (std::size_t at = text.find(kKey); at != std::string::npos; at = text.find(kKey, at)) {
    at += kKey.size();
    const std::size_t end = std::min(text.size(), text.find('"', at));
    const std::size_t host = end > at ? text.rfind('@', end - 1) : std::string::npos;
    if (host != std::string::npos && host >= at) text.replace(at, host - at, kMask);
  }
}

}  // namespace

std::string without_passwords(std::string_view text) {
  std::string out(text);
  mask_urls(out);
  mask_keywords(out);
  mask_hosts(out);
  return out;
}

}  // namespace drover
