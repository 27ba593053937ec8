#pragma once

#include <atomic>
#include <future>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "drover/api/api.hpp"
#include "drover/base/json.hpp"
#include "drover/base/text.hpp"

#include "fake_engine.hpp"
#include "fake_store.hpp"
#include "patience.hpp"

namespace drover::api {

// One answer, with file bodies read.
struct Answer {
  int status = 0;
  http::Headers headers;
  std::string body;
  [[nodiscard]] std::string header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (iequals(key, name)) return value;
    }
    return {};
  }
  [[nodiscard]] Json json() const {
    Result<Json> parsed = parse_json(body);
    EXPECT_TRUE(parsed.ok()) << body;
    return parsed.ok() ? *parsed : Json();
  }
  // The member at a dotted place, as JSON text; "" when there is none.
  [[nodiscard]] std::string at(std::string_view place) const {
    Json value = json();
    for (const std::string_view key : split(place, '.')) {
      const Json* next = value.find(key);
      if (next == nullptr) return {};
      value = Json(*next);
    }
    return value.dump();
  }
};

// The routes over a store and an engine that a test scripts.
class ApiTest : public ::testing::Test {
 protected:
  ApiTest() {
    store.engine.view.leading = true;
    store.engine.view.store_reachable = true;
    api.add_routes(router);
  }

  // The request is in the handler's hands when this returns.
  std::future<Answer> begin(std::string method, const std::string& target, std::string body = {},
                            http::Headers headers = {},
                            std::shared_ptr<http::SpooledFile> spooled = nullptr) {
    class Sink final : public http::Reply::Sink {
     public:
      Sink(std::promise<Answer> promise, bool delivers) : promise_(std::move(promise)), delivers_(delivers) {}
      void send(http::Response response, std::function<void(bool)> done) override {
        Answer answer{response.status, std::move(response.headers), {}};
        if (const auto* text = std::get_if<std::string>(&response.body)) answer.body = *text;
        if (const auto* file = std::get_if<http::FileBody>(&response.body)) {
          const std::string whole = read_whole(file->path);
          answer.body =
              whole.substr(static_cast<std::size_t>(file->offset), static_cast<std::size_t>(file->length));
        }
        if (done) done(delivers_);
        promise_.set_value(std::move(answer));
      }
      [[nodiscard]] bool open() const override { return delivers_; }

     private:
      std::promise<Answer> promise_;
      bool delivers_;
    };
    http::Request request;
    request.method = std::move(method);
    EXPECT_TRUE(http::parse_target(target, request).ok()) << target;
    request.headers = std::move(headers);
    request.body = std::move(body);
    request.spooled = std::move(spooled);
    std::promise<Answer> promise;
    std::future<Answer> answer = promise.get_future();
    router.on_request(std::move(request), http::Reply(std::make_shared<Sink>(std::move(promise), delivers)));
    return answer;
  }
  Answer send(std::string method, const std::string& target, std::string body = {},
              http::Headers headers = {}, std::shared_ptr<http::SpooledFile> spooled = nullptr) {
    std::future<Answer> answer =
        begin(std::move(method), target, std::move(body), std::move(headers), std::move(spooled));
    if (answer.wait_for(kPatience) != std::future_status::ready) {
      ADD_FAILURE() << "no answer from " << target;
      return {};
    }
    return answer.get();
  }
  Answer get(const std::string& target, http::Headers headers = {}) {
    return send("GET", target, {}, std::move(headers));
  }

  ports::JobRow& add_job(std::int64_t number, core::JobState state = core::JobState::queued) {
    ports::JobRow& row = store.job_rows[number];
    row.number = JobNumber{number};
    row.created = clock.now;
    row.id = make_job_id(row.number, row.created, 7);
    row.spec.task = R"({"command":"true"})";
    row.state = state;
    return row;
  }

  FakeStore store;
  FakeArtifacts artifacts;
  FakeMetrics metrics;
  FakeClock clock;
  struct Board final : ports::FleetBoard {
    [[nodiscard]] ports::FleetNotes notes() const override { return shown; }
    ports::FleetNotes shown;
  };
  Board board;
  ports::FleetNotes& notes = board.shown;
  bool delivers = true;  // does an answer reach its peer
  FakeEngine engine{store.engine};
  services::Services services = services::make_services(
      {.engine = engine, .reads = store, .artifacts = artifacts, .clock = clock, .board = &board});
  Api api{ApiDeps{.services = services,
                  .metrics = metrics,
                  .spool_directory = artifacts.spool_directory(),
                  .worker_program = [] { return std::string("#!/bin/bash\n"); },
                  .hostname = "head",
                  .port = [] { return std::uint16_t{8080}; },
                  .version = "1.2.3",
                  .read_threads = 2}};
  std::atomic<int> counted = 0;  // the status that the latest request was counted with
  http::Router router{[this](const http::Access& access) { counted = access.status; }};
};

}  // namespace drover::api
