// What a route does not declare is refused before its handler acts.
#include <string>

#include <gtest/gtest.h>

#include "drover/base/json.hpp"
#include "drover/http/router.hpp"

#include "http/fake_reply.hpp"

namespace drover::http {
namespace {

class RouterTakesTest : public ::testing::Test {
 protected:
  RouterTakesTest() {
    const auto add = [this](const char* pattern, Takes takes, std::vector<std::string> query) {
      router_.add({.method = "POST",
                   .pattern = pattern,
                   .handler =
                       [this](const Context& context) {
                         ++handled_;
                         context.reply.send(Response::text(200, "done"));
                       },
                   .takes = takes,
                   .query = std::move(query)});
    };
    add("/none", Takes::parameters, {});
    add("/some", Takes::parameters, {"state", "limit"});
    add("/body", Takes::body, {"offset"});
    add("/any", Takes::anything, {});
  }
  Response run(std::string_view target, std::string body = {}) {
    Request request = request_to("POST", target);
    request.body = std::move(body);
    const auto sink = std::make_shared<FakeSink>();
    router_.on_request(std::move(request), Reply(sink));
    EXPECT_EQ(sink->responses.size(), 1U);
    return sink->responses.empty() ? Response{} : sink->responses.front();
  }
  static std::string member(const Response& response, std::string_view name) {
    const Result<Json> body = parse_json(std::get<std::string>(response.body));
    const Json* found = body.ok() ? body->find(name) : nullptr;
    return found != nullptr && found->if_string() != nullptr ? *found->if_string() : "";
  }

  int handled_ = 0;
  Router router_;
};

TEST_F(RouterTakesTest, RefusesAnUnknownParameterAndSaysWhichThereAre) {
  const Response none = run("/none?dry_run=true");
  EXPECT_EQ(none.status, 400);
  EXPECT_EQ(member(none, "field"), "dry_run");
  EXPECT_EQ(member(none, "detail"), "\"dry_run\" is not a parameter of POST /none; there are none");
  EXPECT_EQ(member(run("/some?limit=1&stat=x"), "detail"),
            "\"stat\" is not a parameter of POST /some; did you mean state? There are state, limit");
  EXPECT_EQ(run("/some?LIMIT=1").status, 400);
  EXPECT_EQ(run("/some?=1").status, 400);
  EXPECT_EQ(run("/body?ofset=1", "x").status, 400);
  EXPECT_EQ(handled_, 0);
  EXPECT_EQ(run("/some?limit=1&state=x").status, 200);
  EXPECT_EQ(run("/none?").status, 200);
  EXPECT_EQ(run("/any?dry_run=true", "whatever").status, 200);
}

TEST_F(RouterTakesTest, RefusesAParameterGivenTwice) {
  const Response twice = run("/some?limit=1&limit=1");
  EXPECT_EQ(twice.status, 400);
  EXPECT_EQ(member(twice, "field"), "limit");
  EXPECT_EQ(handled_, 0);
}

TEST_F(RouterTakesTest, RefusesABodyUnlessItIsEmpty) {
  for (const char* body : {"{\"dry_run\":true}", "[]", "null", "x", "{", "{} {}", "dry_run=true"}) {
    const Response refused = run("/some", body);
    EXPECT_EQ(refused.status, 400) << body;
    EXPECT_NE(member(refused, "detail").find("takes no body"), std::string::npos) << body;
  }
  EXPECT_EQ(handled_, 0);
  for (const char* body : {"", "{}", " { }\r\n", "\n"}) EXPECT_EQ(run("/some", body).status, 200) << body;
  EXPECT_EQ(run("/body", "x").status, 200);
}

TEST_F(RouterTakesTest, RefusesAParameterBeforeTheBodyIsRead) {
  const auto verdict = router_.on_head(request_to("POST", "/body?ofset=1"));
  ASSERT_EQ(verdict.index(), 1U);
  EXPECT_EQ(std::get<Response>(verdict).status, 400);
  EXPECT_EQ(router_.on_head(request_to("POST", "/body?offset=1")).index(), 0U);
}

}  // namespace
}  // namespace drover::http
