#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include <cpprest/http_msg.h>

#include "drover/http/message.hpp"

#include "body.hpp"
#include "cpprest_state.hpp"
#include "exchange.hpp"

namespace drover::transport {

// One request as cpprestsdk hands it over: header parsed, body still coming. It reads the body by the
// handler's policy, calls the handler, and gives its answer to the library. Every step is a task of the
// library's pool, one after the other, so nothing but answer() and peer_open() needs to be thread-safe.
class CpprestRequest final : public Answerer, public std::enable_shared_from_this<CpprestRequest> {
 public:
  // `counted`: it has entered the state, and leaves it when it is answered.
  CpprestRequest(std::shared_ptr<CpprestState> state, const web::http::http_request& message, bool counted);
  CpprestRequest(const CpprestRequest&) = delete;
  CpprestRequest& operator=(const CpprestRequest&) = delete;
  ~CpprestRequest() override;

  void begin();
  void turn_away();  // the server stops

  // A stream is answered 501.
  void answer(http::Response response, std::function<void(bool)> done) override;
  // The library does not tell that a peer has gone: true until the answer is under way.
  [[nodiscard]] bool peer_open() const override;

 private:
  std::optional<http::Response> read_head();
  void on_policy(const http::BodyPolicy& policy);
  void refuse(http::Response response);
  void refuse_unread(http::Response response);
  void read_body();
  void on_piece(std::size_t bytes);
  void deliver();
  void send(const web::http::http_response& response, std::function<void(bool)> done, bool whole);
  void finish(const std::function<void(bool)>& done, bool delivered);
  web::http::http_response to_library(const http::Response& response, bool close) const;

  const std::shared_ptr<CpprestState> state_;
  web::http::http_request message_;
  http::Request request_;
  bool http10_ = false;
  bool keep_alive_ = false;
  bool chunked_ = false;
  std::int64_t length_ = 0;  // that the header announces

  Body body_;
  std::int64_t limit_ = 0;
  std::int64_t taken_ = 0;
  std::array<std::uint8_t, 16 * 1024> piece_;
  std::atomic<bool> answered_{false};
  std::atomic<bool> inside_;
};

}  // namespace drover::transport
