#include "drover/http/hosts.hpp"

#include <gtest/gtest.h>

#include "drover/base/json.hpp"
#include "drover/http/router.hpp"

#include "http/fake_reply.hpp"

namespace drover::http {
namespace {

Request head_to(const std::string& host, std::string_view target = "/") {
  Request request = request_to("GET", target);
  request.headers = {{"host", host}};
  return request;
}

TEST(ServedHosts, ServesAddressesLocalhostAndTheNamesThatAreSet) {
  const ServedHosts hosts({"drover.example.org", "Head.", ""});
  for (const char* host :
       {"127.0.0.1", "127.0.0.1:8080", "10.1.2.3", "[::1]", "[::1]:8080", "[fe80::1%25eth0]:80",
        "[::ffff:1.2.3.4]", "localhost", "LocalHost:8080", "localhost.", "localhost.:1",
        "localhost:", "drover.example.org:443", "DROVER.example.ORG.", "head", "127.0.0.1."}) {
    EXPECT_TRUE(hosts.serves(host)) << host;
  }
  for (const char* host : {"",
                           ":80",
                           "evil.example",
                           "evil.example:8080",
                           "localhost.evil.example",
                           "evil.localhost",
                           "127.0.0.1.evil.example",
                           "1.2.3",
                           "2130706433",
                           "0x7f.1",
                           "127.0.0.1:x",
                           "127.0.0.1:123456",
                           "::1",
                           "[::1",
                           "[::1]x",
                           "[localhost]",
                           "[127.0.0.1]",
                           "[]",
                           "..",
                           ".",
                           "localhost..",
                           "example.org",
                           "x.drover.example.org",
                           "localhost/",
                           "localhost@evil"}) {
    EXPECT_FALSE(hosts.serves(host)) << host;
  }
}

TEST(ServedHosts, RefusesWith421AndTheRemedy) {
  const ServedHosts hosts;
  EXPECT_FALSE(hosts.refusal(head_to("localhost:8080"), "set it"));
  const auto refusal = hosts.refusal(head_to("evil.example:8080"), "set server.names");
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->status, 421);
  const auto body = parse_json(std::get<std::string>(refusal->body));
  ASSERT_TRUE(body.ok());
  EXPECT_EQ(*body->find("code")->if_string(), "misdirected_request");
  EXPECT_NE(body->find("detail")->if_string()->find("evil.example:8080"), std::string::npos);
  EXPECT_NE(body->find("detail")->if_string()->find("set server.names"), std::string::npos);
  EXPECT_TRUE(hosts.refusal(head_to(""), "set it"));
}

// HTTP/1.0 has no Host; browsers speak 1.1. A target in absolute form says more than Host does.
TEST(ServedHosts, JudgesWhereTheRequestWasSent) {
  const ServedHosts hosts;
  EXPECT_FALSE(hosts.refusal(request_to("GET", "/"), "set it"));
  EXPECT_TRUE(hosts.refusal(head_to("localhost", "http://evil.example/jobs"), "set it"));
  EXPECT_FALSE(hosts.refusal(head_to("evil.example", "http://localhost:8080/jobs"), "set it"));
  EXPECT_TRUE(hosts.refusal(request_to("GET", "http://evil.example"), "set it"));
}

TEST(ServedHosts, TakesTheHostOutOfAUrl) {
  EXPECT_EQ(url_host("http://Head.example:8080"), "head.example");
  EXPECT_EQ(url_host("https://user:pass@head/base"), "head");
  EXPECT_EQ(url_host("http://[::1]:8080"), "::1");
  EXPECT_EQ(url_host("head:8080"), "");
}

TEST(CheckOrigin, TakesTheOwnPageAndNoOther) {
  Request request = head_to("localhost:8080");
  EXPECT_TRUE(check_origin(request).ok());
  request.headers.emplace_back("origin", "http://localhost:8080");
  EXPECT_TRUE(check_origin(request).ok());
  for (const char* foreign : {"http://evil.example", "null", "http://localhost:9090", "http://localhost"}) {
    request.headers.back().second = foreign;
    EXPECT_EQ(check_origin(request).error().code, Errc::forbidden) << foreign;
  }
}

TEST(Gate, RefusesBeforeARouteIsLookedForAndIsCounted) {
  std::vector<std::string> seen;
  Router router{[&](const Access& access) { seen.emplace_back(access.route); },
                [](const Request& head) -> std::optional<Response> {
                  if (head.host() == "localhost") return std::nullopt;
                  return Response::text(421, "no");
                }};
  router.add({"GET", "/a", [](const Context&) {}});
  for (const char* target : {"/a", "/none"}) {
    const auto verdict = router.on_head(head_to("evil.example", target));
    ASSERT_EQ(verdict.index(), 1U);
    EXPECT_EQ(std::get<Response>(verdict).status, 421);
    EXPECT_NE(header_of(std::get<Response>(verdict), "X-Request-Id"), "");
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"refused", "refused"}));
  EXPECT_EQ(router.on_head(head_to("localhost", "/a")).index(), 0U);
}

}  // namespace
}  // namespace drover::http
