#include "drover/net/curl_client.hpp"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/tiny_server.hpp"

namespace drover::net {
namespace {

using ports::HttpRequest;
using test::TinyServer;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string reply(const std::string& body, const std::string& extra = {},
                  const std::string& status = "200 OK") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + extra +
         "\r\n" + body;
}

HttpRequest get(const std::string& url) {
  HttpRequest request;
  request.url = url;
  return request;
}

TEST(CurlClient, ReturnsStatusHeadersInLowerCaseAndBody) {
  TinyServer server(
      [](const std::string&) { return reply("hello", "X-Some-THING:  a b \r\n", "418 Teapot"); });
  CurlHttpClient client;
  const auto answer = client.send(get(server.url("/x?y=1")));
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->status, 418);
  EXPECT_EQ(answer->body, "hello");
  EXPECT_EQ(answer->header("x-some-thing"), "a b");
  EXPECT_EQ(answer->header("absent"), "");
  EXPECT_THAT(server.requests().at(0), StartsWith("GET /x?y=1 HTTP/1.1\r\n"));
}

TEST(CurlClient, SendsMethodHeadersAndBodyAndNothingOfItsOwn) {
  TinyServer server([](const std::string&) { return reply(""); });
  CurlHttpClient client;
  HttpRequest request = get(server.url("/"));
  request.method = "POST";
  request.headers = {{"Content-Type", "text/x"}, {"X-Empty", ""}};
  request.body = std::string(1'100'000, 'b');  // libcurl would ask "100-continue" for one of more than 1 MiB
  request.body[7] = '\0';
  ASSERT_TRUE(client.send(request).ok());
  const auto sent = server.requests().at(0);
  const auto head = sent.substr(0, 500);
  EXPECT_THAT(head, StartsWith("POST / HTTP/1.1\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Type: text/x\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Empty:\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Length: 1100000\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("Expect")));
  EXPECT_TRUE(sent.ends_with("\r\n\r\n" + request.body));
}

TEST(CurlClient, SendsAnEmptyPutWithItsLengthAndNoType) {
  TinyServer server([](const std::string&) { return reply(""); });
  CurlHttpClient client;
  HttpRequest request = get(server.url("/latest/api/token"));
  request.method = "PUT";
  ASSERT_TRUE(client.send(request).ok());
  const auto sent = server.requests().at(0);
  EXPECT_THAT(sent, StartsWith("PUT /latest/api/token HTTP/1.1\r\n"));
  EXPECT_THAT(sent, HasSubstr("Content-Length: 0\r\n"));
  EXPECT_THAT(sent, Not(HasSubstr("Content-Type")));
}

TEST(CurlClient, ReusesItsConnectionAndForgetsThePreviousRequest) {
  TinyServer server([](const std::string&) { return reply("ok"); });
  CurlHttpClient client;
  HttpRequest first = get(server.url("/first"));
  first.method = "DELETE";
  first.headers = {{"X-Once", "1"}};
  first.body = "gone";
  ASSERT_TRUE(client.send(first).ok());
  ASSERT_TRUE(client.send(get(server.url("/second"))).ok());
  EXPECT_EQ(server.connections(), 1);
  const auto second = server.requests().at(1);
  EXPECT_THAT(second, StartsWith("GET /second "));
  EXPECT_THAT(second, Not(HasSubstr("X-Once")));
  EXPECT_THAT(second, Not(HasSubstr("Content-Length")));
}

TEST(CurlClient, AnswersHeadWithoutWaitingForABody) {
  TinyServer server(
      [](const std::string&) { return std::string("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"); });
  CurlHttpClient client;
  HttpRequest request = get(server.url("/"));
  request.method = "HEAD";
  const auto answer = client.send(request);
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->header("content-length"), "99");
  EXPECT_TRUE(answer->body.empty());
}

TEST(CurlClient, FollowsNoRedirect) {
  TinyServer server([&](const std::string&) { return reply("", "Location: /elsewhere\r\n", "302 Found"); });
  CurlHttpClient client;
  const auto answer = client.send(get(server.url("/")));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 302);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST(CurlClient, UsesNoProxyOfTheEnvironment) {
  TinyServer server([](const std::string&) { return reply("direct"); });
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  CurlHttpClient client;
  const auto answer = client.send(get(server.url("/")));
  ::unsetenv("http_proxy");
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->body, "direct");
}

TEST(CurlClient, SilenceIsATimeout) {
  TinyServer server([](const std::string&) { return std::string(); });
  CurlHttpClient client;
  HttpRequest request = get(server.url("/secret-path"));
  request.total_timeout = Millis(50);
  const auto answer = client.send(request);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Errc::timeout);
  EXPECT_THAT(answer.error().message, Not(HasSubstr("secret-path")));
}

TEST(CurlClient, ABodyThatStallsIsATimeout) {
  TinyServer server(
      [](const std::string&) { return std::string("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"); });
  CurlHttpClient client;
  HttpRequest request = get(server.url("/"));
  request.total_timeout = Millis(50);
  EXPECT_EQ(client.send(request).error().code, Errc::timeout);
}

TEST(CurlClient, ACutBodyIsUnavailable) {
  TinyServer server([](const std::string&) {
    return std::string("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nabc");
  });
  CurlHttpClient client;
  EXPECT_EQ(client.send(get(server.url("/"))).error().code, Errc::unavailable);
}

TEST(CurlClient, RefusedConnectionIsUnavailable) {
  std::string url;
  {
    TinyServer server([](const std::string&) { return std::string(); });
    url = server.url("/");
  }
  CurlHttpClient client;
  EXPECT_EQ(client.send(get(url)).error().code, Errc::unavailable);
}

TEST(CurlClient, TheCapHoldsForDeclaredAndChunkedBodiesAndForHeaders) {
  const std::string big(4096, 'x');
  for (const auto& bytes :
       {reply(big), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n" + big + "\r\n0\r\n\r\n",
        reply("", "X-Long: " + big + "\r\n")}) {
    TinyServer server([&](const std::string&) { return bytes; });
    CurlHttpClient client;
    HttpRequest request = get(server.url("/"));
    request.max_reply_bytes = 4000;
    const auto answer = client.send(request);
    ASSERT_FALSE(answer.ok()) << bytes.substr(0, 60);
    EXPECT_EQ(answer.error().code, Errc::too_large);
    request.max_reply_bytes = 5000;
    EXPECT_TRUE(client.send(request).ok());
  }
}

TEST(CurlClient, ABodyThatIsStreamedHasNoCapAndIsKeptNowhere) {
  const std::string body(300'000, 'x');
  const TinyServer server([&](const std::string& request) {
    const bool good = request.starts_with("GET /good");
    return (good ? "HTTP/1.1 200 OK" : "HTTP/1.1 503 Away") +
           std::string("\r\nX-Mark: m\r\nContent-Length: ") + std::to_string(good ? body.size() : 4) +
           "\r\n\r\n" + (good ? body : "away");
  });
  CurlHttpClient client;
  ports::HttpRequest request;
  std::string taken;
  request.max_reply_bytes = 1000;
  request.on_body = [&](const ports::HttpReply& head, std::string_view piece) {
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.header("x-mark"), "m");
    taken += piece;
    return taken.size() < 600'000;
  };
  request.url = server.url("/good");
  auto reply = client.send(request);
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_TRUE(reply->body.empty());
  EXPECT_EQ(taken, body);
  request.url = server.url("/bad");
  reply = client.send(request);
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->body, "away");
  EXPECT_EQ(taken, body);
  request.url = server.url("/good");
  EXPECT_FALSE(client.send(request).ok());  // given up
}

TEST(CurlClient, InterimAnswersAndTrailersAddNoHeaders) {
  TinyServer server([](const std::string&) {
    return std::string(
        "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Late: 1\r\n\r\n");
  });
  CurlHttpClient client;
  const auto answer = client.send(get(server.url("/")));
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "ok");
  EXPECT_EQ(answer->header("x-early"), "");
  EXPECT_EQ(answer->header("x-late"), "");
}

TEST(CurlClient, OtherProtocolsAreRefused) {
  CurlHttpClient client;
  for (const char* url : {"file:///etc/hostname", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "", "http://"}) {
    const auto answer = client.send(get(url));
    ASSERT_FALSE(answer.ok()) << url;
    EXPECT_EQ(answer.error().code, Errc::unavailable);
  }
}

TEST(CurlClient, ControlCharactersAreNeverSent) {
  TinyServer server([](const std::string&) { return reply(""); });
  CurlHttpClient client;
  HttpRequest header = get(server.url("/"));
  header.headers = {{"X-A", "1\r\nX-B: 2"}};
  HttpRequest name = get(server.url("/"));
  name.headers = {{"X-A: 1", "2"}};
  HttpRequest method = get(server.url("/"));
  method.method = "GET / HTTP/1.1\r\nX: ";
  HttpRequest url = get(server.url("/a\nb"));
  for (const auto& request : {header, name, method, url}) {
    EXPECT_EQ(client.send(request).error().code, Errc::unavailable);
  }
  EXPECT_TRUE(server.requests().empty());
}

TEST(CurlClient, ManyThreadsShareOneClient) {
  TinyServer server(
      [](const std::string& request) { return reply(request.substr(4, request.find(" HTTP") - 4)); });
  CurlHttpClient client;
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 12; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const std::string path = "/" + std::to_string(t) + "/" + std::to_string(i);
        const auto answer = client.send(get(server.url(path)));
        if (answer.ok() && answer->body == path) ++right;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 240);
}

}  // namespace
}  // namespace drover::net
