#pragma once

#include <atomic>
#include <memory>

#include "drover/base/log.hpp"
#include "drover/http/problem.hpp"

namespace drover::transport {

// What can answer a request. Thread-safe.
class Answerer {
 public:
  virtual ~Answerer() = default;
  virtual void answer(http::Response response, std::function<void(bool)> done) = 0;  // once per request
  [[nodiscard]] virtual bool peer_open() const = 0;
};

// One request's way back: sees to it that there is one answer, whatever the handler does with its Reply.
class Exchange final : public http::Reply::Sink {
 public:
  explicit Exchange(std::shared_ptr<Answerer> answerer) : answerer_(std::move(answerer)) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() override {
    if (answered_.load()) return;
    if (answerer_->peer_open()) log_error("a request was dropped without an answer");
    answerer_->answer(http::problem(500, "internal", "The request was dropped inside the server."), {});
  }

  void send(http::Response response, std::function<void(bool)> done) override {
    if (answered_.exchange(true)) {
      log_error("a request was answered twice, the second time with {}", response.status);
      if (done) done(false);
      return;
    }
    answerer_->answer(std::move(response), std::move(done));
  }
  [[nodiscard]] bool open() const override { return !answered_.load() && answerer_->peer_open(); }

 private:
  std::shared_ptr<Answerer> answerer_;
  std::atomic<bool> answered_{false};
};

}  // namespace drover::transport
