#pragma once

#include <atomic>
#include <memory>

#include "drover/http/problem.hpp"

#include "connection.hpp"

namespace drover::transport {

// One request's way back to its connection.
class Exchange final : public http::Reply::Sink {
 public:
  explicit Exchange(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() override {
    if (answered_.load()) return;
    log_error("a request was dropped without an answer");
    connection_->answer(http::problem(500, "internal", "The request was dropped inside the server."), {});
  }

  void send(http::Response response, std::function<void(bool)> done) override {
    if (answered_.exchange(true)) {
      log_error("a request was answered twice, the second time with {}", response.status);
      if (done) done(false);
      return;
    }
    connection_->answer(std::move(response), std::move(done));
  }
  [[nodiscard]] bool open() const override { return !answered_.load() && connection_->peer_open(); }

 private:
  std::shared_ptr<Connection> connection_;
  std::atomic<bool> answered_{false};
};

}  // namespace drover::transport
