#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "drover/http/message.hpp"

namespace drover::transport {

class Body;

// Parses one request: its header block, whole, then its body in any pieces. A refusal is final. No other file
// includes Beast's parser: its templates take long to compile. Not thread-safe.
class RequestParser {
 public:
  RequestParser();
  ~RequestParser();

  // Fills everything but body and peer. A Response refuses the request, and the connection can carry no
  // other.
  std::optional<http::Response> head(std::string_view block, http::Request& request);
  // Feeds body bytes, and returns how many were taken; the rest must be passed again, with more behind it.
  std::size_t body(std::string_view data, Body& into, std::optional<http::Response>& refusal);
  // Limits a body in chunks; to be called before its first byte. The caller checks a Content-Length itself.
  void limit_body(std::int64_t bytes);

  [[nodiscard]] bool complete() const;  // the body is whole, or there is none
  [[nodiscard]] std::optional<std::uint64_t> content_length() const;
  [[nodiscard]] bool keep_alive() const;
  [[nodiscard]] bool http10() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace drover::transport
