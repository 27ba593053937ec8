#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "drover/http/message.hpp"

namespace drover::http {

// Keeps what was answered.
class FakeSink final : public Reply::Sink {
 public:
  void send(Response response, std::function<void(bool)> done) override {
    responses.push_back(std::move(response));
    if (done) done(delivers);
  }
  [[nodiscard]] bool open() const override { return is_open; }

  std::vector<Response> responses;
  bool is_open = true;
  bool delivers = true;
};

inline std::string header_of(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return {};
}

inline Request request_to(std::string method, std::string_view target) {
  Request request;
  request.method = std::move(method);
  if (!parse_target(target, request).ok()) request.path = "unparsable";
  return request;
}

}  // namespace drover::http
