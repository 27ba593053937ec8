#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/result.hpp"

namespace drover::ports {

struct HttpReply {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names lower-case
  std::string body;
  [[nodiscard]] std::string header(std::string_view lower_name) const;  // empty when absent
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // http or https
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  Millis connect_timeout{2000};
  Millis total_timeout{10'000};
  std::size_t max_reply_bytes = 1024 * 1024;
  // Takes the body of a 2xx answer piece by piece; `head` is the answer without it. The reply's body stays
  // empty, max_reply_bytes does not count it, and total_timeout limits each stretch without progress. False
  // gives the answer up (unavailable).
  std::function<bool(const HttpReply& head, std::string_view piece)> on_body = {};
};

// A client that follows no redirect and uses no proxy. Blocking. Thread-safe. An answer of any status is a
// reply; an Error is no answer: timeout (a deadline passed), too_large (max_reply_bytes), unavailable
// (anything else).
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  virtual Result<HttpReply> send(const HttpRequest& request) = 0;
};

}  // namespace drover::ports
