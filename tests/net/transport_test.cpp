// The client against the program's own server, over a real connection.
#include <gtest/gtest.h>

#include "drover/net/curl_client.hpp"
#include "drover/transport/server.hpp"

namespace drover::net {
namespace {

class Echo final : public http::Handler {
 public:
  std::variant<http::BodyPolicy, http::Response> on_head(const http::Request&) override {
    return http::BodyPolicy{1024 * 1024, false};
  }
  void on_request(http::Request request, http::Reply reply) override {
    auto response =
        http::Response::text(request.path == "/teapot" ? 418 : 200, request.method + ' ' + request.body);
    response.abandon = request.path == "/abandon";
    response.with("X-Echo", std::string(request.header("x-ask")));
    reply.send(std::move(response));
  }
};

class AgainstTheServer : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(server_->start().ok()); }
  void TearDown() override { server_->stop(Millis(0)); }

  Result<ports::HttpReply> send(const std::string& method, const std::string& path, std::string body = {}) {
    ports::HttpRequest request;
    request.method = method;
    request.url = "http://127.0.0.1:" + std::to_string(server_->port()) + path;
    request.headers = {{"X-Ask", "value"}};
    request.body = std::move(body);
    return client_.send(request);
  }

  Echo echo_;
  std::unique_ptr<transport::Server> server_ = transport::make_beast_server({}, echo_);
  CurlHttpClient client_;
};

TEST_F(AgainstTheServer, EveryMethodArrivesWithItsHeadersAndBody) {
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    const auto answer = send(method, "/");
    ASSERT_TRUE(answer.ok()) << method << ": " << answer.error().message;
    EXPECT_EQ(answer->body, std::string(method) + ' ');
    EXPECT_EQ(answer->header("x-echo"), "value");
    EXPECT_FALSE(answer->header("date").empty());
  }
  const std::string large(300'000, 'b');
  const auto answer = send("POST", "/", large);
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->body, "POST " + large);
}

TEST_F(AgainstTheServer, AnyStatusIsAReplyAndALostReplyIsAnError) {
  EXPECT_EQ(send("GET", "/teapot")->status, 418);
  const auto lost = send("POST", "/abandon", "x");
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().code, Errc::unavailable);
  EXPECT_EQ(send("GET", "/")->status, 200);
}

}  // namespace
}  // namespace drover::net
