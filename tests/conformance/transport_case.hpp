#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "drover/http/problem.hpp"
#include "drover/transport/server.hpp"

#include "conformance/client.hpp"

namespace drover::transport {

// Waits until the condition holds; false when patience is over.
template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + patience();
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// The most memory that this program has had, in KiB. getrusage would count that of the program before exec
// too, so that a case in a process of its own could not tell what it took itself.
std::int64_t peak_kib();

// The handler of these tests:
//   /echo    answers method, path, query and body
//   /spool   answers the body from its spooled file, whose path is in X-Path
//   /wait    keeps the reply for the test
//   /stream  answers a stream and keeps it for the test
//   /drop    lets go of it
//   /throw   throws
//   /none…   is refused with 404 at its header
//   /small   takes 10 bytes of body
//   else     answers "ok"
class TestHandler final : public http::Handler {
 public:
  std::variant<http::BodyPolicy, http::Response> on_head(const http::Request& head) override {
    heads.fetch_add(1);
    if (head.path.starts_with("/none")) return http::problem(404, "not_found", "Nothing here.");
    if (head.path == "/small") return http::BodyPolicy{10, false};
    if (head.path == "/spool") return http::BodyPolicy{64 * 1024 * 1024, true};
    return http::BodyPolicy{1024 * 1024, false};
  }

  void on_request(http::Request request, http::Reply reply) override {
    requests.fetch_add(1);
    if (custom && request.path == "/custom") return reply.send(custom(request), on_done());
    if (request.path == "/wait") {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(reply));
      changed_.notify_all();
      return;
    }
    if (request.path == "/stream") {
      return reply.send(
          http::Response{200, {}, http::StreamBody{[this](http::Stream stream) { keep(std::move(stream)); }}},
          on_done());
    }
    if (request.path == "/drop") return;
    if (request.path == "/throw") throw std::runtime_error("on purpose");
    if (request.path == "/spool") {
      // The file lives until its last byte is sent.
      return reply.send(spooled(request),
                        [done = on_done(), file = request.spooled](bool good) { done(good); });
    }
    if (request.path != "/echo") return reply.send(http::Response::text(200, "ok"), on_done());
    std::string text = request.method + " " + request.path;
    for (const auto& [name, value] : request.query) text += " " + name + "=" + value;
    reply.send(http::Response::text(200, text + "\n" + request.body), on_done());
  }

  // The reply of the oldest request to /wait that was not fetched yet.
  http::Reply next_waiting() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience(), [this] { return fetched_ < waiting_.size(); })) std::abort();
    return waiting_[fetched_++];
  }
  void forget_waiting() {
    const std::lock_guard lock(mutex_);
    waiting_.clear();
    fetched_ = 0;
  }
  // The oldest stream that was not fetched yet; the test alone holds it.
  http::Stream next_stream() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience(), [this] { return !streams_.empty(); })) std::abort();
    http::Stream stream = std::move(streams_.front());
    streams_.pop_front();
    return stream;
  }
  [[nodiscard]] std::size_t streams() const {
    const std::lock_guard lock(mutex_);
    return streams_.size();
  }
  std::function<void(bool)> on_done() {
    return [this](bool good) { (good ? delivered : lost).fetch_add(1); };
  }

  std::function<http::Response(const http::Request&)> custom;  // for /custom; set before the first request
  std::atomic<int> heads{0};
  std::atomic<int> requests{0};
  std::atomic<int> delivered{0};
  std::atomic<int> lost{0};

 private:
  void keep(http::Stream stream) {
    const std::lock_guard lock(mutex_);
    streams_.push_back(std::move(stream));
    changed_.notify_all();
  }
  static http::Response spooled(const http::Request& request) {
    if (!request.spooled) return http::Response::text(500, "nothing was spooled");
    http::Response response;
    response.headers = {{"X-Path", request.spooled->path()},
                        {"X-Body-Bytes", std::to_string(request.body.size())}};
    response.body = http::FileBody{request.spooled->path(), 0, request.spooled->size()};
    return response;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<http::Stream> streams_;
  std::vector<http::Reply> waiting_;
  std::size_t fetched_ = 0;
};

// One case of the suite, over one transport. Over cpprestsdk each runs in a process of its own, because some
// end the process; what known_failures.cpp lists must fail there, and nothing else may.
class TransportCase : public ::testing::Test {
 public:
  TransportKind kind_of_server = TransportKind::beast;

 protected:
  virtual void check() = 0;

  void SetUp() override;
  void TearDown() override;
  void serve();
  [[nodiscard]] TransportKind kind() const { return kind_of_server; }
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  // One request on a connection of its own.
  Answer ask(const std::string& request) const;
  // Sends a request that is answered by a stream, and reads its head. Nothing, and a failure, if another
  // answer comes.
  std::optional<http::Stream> open_stream(RawClient& client, const std::string& request = get("/stream"));
  [[nodiscard]] std::size_t files() const;  // in the spool directory

  ServerOptions options_;
  TestHandler handler_;
  std::filesystem::path directory_;
  std::unique_ptr<Server> server_;

 private:
  void TestBody() override;
};

// Registers a case as beast.<name> and cpprest.<name>.
template <class Make>
bool enlist(const std::string& name, const char* file, int line, Make make) {
  for (const auto& [kind, suite] :
       {std::pair{TransportKind::beast, "beast"}, std::pair{TransportKind::cpprest, "cpprest"}}) {
    ::testing::RegisterTest(suite, name.c_str(), nullptr, nullptr, file, line,
                            [kind = kind, make]() -> TransportCase* {
                              TransportCase* made = make();
                              made->kind_of_server = kind;
                              return made;
                            });
  }
  return true;
}

#define CONFORMANCE(name)                                                                                   \
  class name final : public TransportCase {                                                                 \
    void check() override;                                                                                  \
  };                                                                                                        \
  [[maybe_unused]] const bool name##_enlisted = enlist(#name, __FILE__, __LINE__, [] { return new name; }); \
  void name::check()

}  // namespace drover::transport
