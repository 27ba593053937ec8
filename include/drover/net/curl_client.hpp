#pragma once

#include <memory>

#include "drover/ports/http_client.hpp"

namespace drover::net {

struct CurlOptions {
  std::string user_agent = "drover";
  std::string ca_file;  // PEM bundle to trust instead of the system's; empty: the system's
  std::size_t kept_handles =
      8;  // idle handles, each with its open connections; more calls at once are allowed
};

// HTTP/1.1 by libcurl: http and https only, TLS 1.2 or later with the certificate checked, no redirects, no
// proxy (whatever the environment says), no cookies, no signals. Thread-safe: a call uses a handle of its own
// from a small pool, so that connections are reused. A request with a control character in its method, URL or
// headers is not sent (unavailable).
class CurlHttpClient final : public ports::HttpClient {
 public:
  explicit CurlHttpClient(CurlOptions options = {});
  ~CurlHttpClient() override;
  CurlHttpClient(const CurlHttpClient&) = delete;
  CurlHttpClient& operator=(const CurlHttpClient&) = delete;
  Result<ports::HttpReply> send(const ports::HttpRequest& request) override;

 private:
  class Pool;
  CurlOptions options_;
  std::unique_ptr<Pool> pool_;
};

}  // namespace drover::net
