// Routes that share a method and a path, and are for different requests.
#include <string>

#include <gtest/gtest.h>

#include "drover/http/router.hpp"

#include "http/fake_reply.hpp"

namespace drover::http {
namespace {

class RouterWhenTest : public ::testing::Test {
 protected:
  void add(std::string method, std::string pattern, std::string name, When when = {}, bool acts = false,
           std::int64_t max_body = 10) {
    router_.add({.method = std::move(method),
                 .pattern = std::move(pattern),
                 .handler =
                     [this, name = std::move(name)](const Context& context) {
                       ran_ = name;
                       context.reply.send(Response::text(200, name));
                     },
                 .max_body = max_body,
                 .takes = Takes::anything,
                 .when = std::move(when),
                 .acts = acts});
  }
  // The status, and which handler ran.
  std::string run(std::string method, std::string_view target, Headers headers = {}) {
    ran_.clear();
    Request request = request_to(std::move(method), target);
    request.headers = std::move(headers);
    const auto sink = std::make_shared<FakeSink>();
    router_.on_request(std::move(request), Reply(sink));
    EXPECT_EQ(sink->responses.size(), 1U);
    return std::to_string(sink->responses.front().status) + " " + ran_;
  }

  std::string ran_;
  Router router_;
};

TEST_F(RouterWhenTest, ABodysTypeChooses) {
  add("POST", "/jobs", "any");
  add("POST", "/jobs", "zip", {.content_type = "application/zip"}, false, 1000);
  EXPECT_EQ(run("POST", "/jobs", {{"content-type", "Application/Zip; x=y"}}), "200 zip");
  EXPECT_EQ(run("POST", "/jobs", {{"content-type", "application/json"}}), "200 any");
  EXPECT_EQ(run("POST", "/jobs"), "200 any");

  Request head = request_to("POST", "/jobs");
  EXPECT_EQ(std::get<BodyPolicy>(router_.on_head(head)).max_bytes, 10);
  head.headers = {{"content-type", "application/zip"}};
  EXPECT_EQ(std::get<BodyPolicy>(router_.on_head(head)).max_bytes, 1000);
}

TEST_F(RouterWhenTest, WithoutAFittingOneItIs415Or406) {
  add("POST", "/jobs", "zip", {.content_type = "application/zip"});
  add("GET", "/jobs", "old", {.accept = "application/vnd.old+json"});
  EXPECT_EQ(run("POST", "/jobs", {{"content-type", "text/plain"}}), "415 ");
  EXPECT_EQ(run("GET", "/jobs", {{"accept", "text/html"}}), "406 ");
  EXPECT_EQ(run("DELETE", "/jobs"), "405 ");
}

TEST_F(RouterWhenTest, AnAcceptThatTakesEverythingNamesNothing) {
  add("GET", "/jobs", "own");
  add("GET", "/jobs", "old", {.accept = "application/vnd.old+json"});
  EXPECT_EQ(run("GET", "/jobs", {{"accept", "*/*"}}), "200 own");
  EXPECT_EQ(run("GET", "/jobs"), "200 own");
  EXPECT_EQ(run("GET", "/jobs", {{"accept", "text/html, application/vnd.old+json;q=0.5"}}), "200 old");
  EXPECT_EQ(run("HEAD", "/jobs", {{"accept", "application/vnd.old+json"}}), "200 old");
}

TEST_F(RouterWhenTest, ASlashAtTheEndMayMeanAnother) {
  add("GET", "/jobs", "without", {.slash = Slash::without});
  add("GET", "/jobs", "with", {.slash = Slash::with});
  add("POST", "/jobs", "with", {.slash = Slash::with});
  EXPECT_EQ(run("GET", "/jobs"), "200 without");
  EXPECT_EQ(run("GET", "/jobs/"), "200 with");
  EXPECT_EQ(run("POST", "/jobs/"), "200 with");
  EXPECT_EQ(run("POST", "/jobs"), "405 ");
}

TEST_F(RouterWhenTest, HeadDoesNotRunAGetThatActs) {
  add("GET", "/jobs/{job}/kill", "kill", {}, true);
  EXPECT_EQ(run("GET", "/jobs/1/kill"), "200 kill");
  EXPECT_EQ(run("HEAD", "/jobs/1/kill"), "405 ");
}

TEST_F(RouterWhenTest, TheMoreLiteralPathGoesBeforeTheMoreParticularType) {
  add("POST", "/jobs/new", "literal");
  add("POST", "/jobs/{job}", "name", {.content_type = "application/zip"});
  EXPECT_EQ(run("POST", "/jobs/new", {{"content-type", "application/zip"}}), "200 literal");
  EXPECT_EQ(run("POST", "/jobs/7", {{"content-type", "application/zip"}}), "200 name");
}

TEST_F(RouterWhenTest, TheSameForTheSameRequestsIsADefect) {
  add("POST", "/jobs", "one", {.content_type = "application/zip"});
  EXPECT_DEATH(add("POST", "/jobs", "two", {.content_type = "application/zip"}), "there already");
}

}  // namespace
}  // namespace drover::http
