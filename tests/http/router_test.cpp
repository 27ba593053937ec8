#include "drover/http/router.hpp"

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "http/fake_reply.hpp"

namespace drover::http {
namespace {

struct Seen {
  std::string method, route;
  int status;
  double seconds;
};

class RouterTest : public ::testing::Test {
 protected:
  // A route that answers with its pattern and its path values.
  void echo(const std::string& method, const std::string& pattern) {
    router_.add({method, pattern, [](const Context& context) {
                   std::string text = context.route;
                   for (const auto& [name, value] : context.path) text += " " + name + "=" + value;
                   context.reply.send(Response::text(200, text));
                 }});
  }
  Response run(Request request) {
    const auto sink = std::make_shared<FakeSink>();
    router_.on_request(std::move(request), Reply(sink));
    EXPECT_EQ(sink->responses.size(), 1U);
    return sink->responses.empty() ? Response{} : sink->responses.front();
  }
  std::string body(const std::string& method, std::string_view target) {
    return std::get<std::string>(run(request_to(method, target)).body);
  }
  int status(const std::string& method, std::string_view target) {
    return run(request_to(method, target)).status;
  }
  // What on_head refuses with; 0 when it lets the body in.
  int refusal(const std::string& method, std::string_view target) {
    const auto answer = router_.on_head(request_to(method, target));
    return answer.index() == 0 ? 0 : std::get<Response>(answer).status;
  }

  std::vector<Seen> seen_;
  Router router_{[this](const Access& access) {
    seen_.push_back({std::string(access.method), std::string(access.route), access.status, access.seconds});
  }};
};

TEST_F(RouterTest, FillsNamesAndTakesATrailingSlash) {
  echo("GET", "/jobs");
  echo("GET", "/jobs/{job}/logs/{stream}");
  echo("GET", "/");
  EXPECT_EQ(body("GET", "/jobs"), "/jobs");
  EXPECT_EQ(body("GET", "/jobs/"), "/jobs");
  EXPECT_EQ(body("GET", "/jobs/12/logs/stdout"), "/jobs/{job}/logs/{stream} job=12 stream=stdout");
  EXPECT_EQ(body("GET", "/jobs/12/logs/stdout/"), "/jobs/{job}/logs/{stream} job=12 stream=stdout");
  EXPECT_EQ(body("GET", "/"), "/");
  for (const char* target :
       {"//", "/jobs//", "//jobs", "/jobs//logs/x", "/Jobs", "/jobs/12", "/jobs/12/logs", "/jobs/../jobs"}) {
    EXPECT_EQ(status("GET", target), 404) << target;
  }
}

TEST_F(RouterTest, DecodesWithinASegmentOnly) {
  echo("GET", "/artifacts/{name}");
  EXPECT_EQ(body("GET", "/artifacts/a%2Fb%20c"), "/artifacts/{name} name=a/b c");
  EXPECT_EQ(body("GET", "/artifacts/%2e%2e"), "/artifacts/{name} name=..");
  EXPECT_EQ(body("GET", "/artifacts/a%252Fb"), "/artifacts/{name} name=a%2Fb");
  EXPECT_EQ(body("GET", "/%61rtifacts/x"), "/artifacts/{name} name=x");
  EXPECT_EQ(body("GET", "/artifacts/x%2F"), "/artifacts/{name} name=x/");
  EXPECT_EQ(status("GET", "/artifacts/a/b"), 404);
  EXPECT_EQ(status("GET", "/artifacts%2Fx"), 404);
}

TEST_F(RouterTest, ATailTakesAllThatIsLeftOfThePath) {
  echo("GET", "/artifacts");
  echo("GET", "/artifacts/{name}/info");
  router_.add({.method = "GET",
               .pattern = "/artifacts/{name}",
               .handler =
                   [](const Context& context) {
                     context.reply.send(Response::text(200, "tail " + context.path.find("name")->second));
                   },
               .tail = true});
  EXPECT_EQ(body("GET", "/artifacts/a"), "tail a");
  EXPECT_EQ(body("GET", "/artifacts/d/b.txt"), "tail d/b.txt");
  EXPECT_EQ(body("GET", "/artifacts/d%2Fb.txt"), "tail d/b.txt");
  EXPECT_EQ(body("GET", "/artifacts/d/%2e%2E/x%20y"), "tail d/../x y");
  // What is wrong with these is for the handler to say.
  EXPECT_EQ(body("GET", "/artifacts/d/"), "tail d/");
  EXPECT_EQ(body("GET", "/artifacts/d%2F"), "tail d/");
  EXPECT_EQ(body("GET", "/artifacts//d"), "tail /d");
  EXPECT_EQ(body("GET", "/artifacts/d//e"), "tail d//e");
  EXPECT_EQ(body("GET", "/artifacts//"), "tail /");
  EXPECT_EQ(body("GET", "/artifacts"), "/artifacts");
  EXPECT_EQ(body("GET", "/artifacts/"), "/artifacts");
  EXPECT_EQ(body("GET", "/artifacts/d/info"), "/artifacts/{name}/info name=d");
  EXPECT_EQ(status("PUT", "/artifacts/d/b.txt"), 405);
}

TEST_F(RouterTest, RefusesAPathThatCannotBeDecoded) {
  echo("GET", "/a/{b}");
  for (const char* raw : {"/a/%", "/a/%00", "/a/%zz", "a/b"}) {
    Request request;
    request.method = "GET";
    request.path = "/a/x";
    request.raw_path = raw;
    EXPECT_EQ(run(request).status, 400) << raw;
  }
}

TEST_F(RouterTest, PrefersTheLiteralButNotOverTheMethod) {
  echo("GET", "/jobs/{job}");
  echo("POST", "/jobs/bulk");
  echo("GET", "/jobs/latest");
  echo("GET", "/{any}/latest");
  EXPECT_EQ(body("GET", "/jobs/latest"), "/jobs/latest");
  EXPECT_EQ(body("GET", "/jobs/bulk"), "/jobs/{job} job=bulk");
  EXPECT_EQ(body("POST", "/jobs/bulk"), "/jobs/bulk");
  EXPECT_EQ(body("GET", "/pools/latest"), "/{any}/latest any=pools");
}

TEST_F(RouterTest, AnswersOtherMethodsWithAllow) {
  echo("GET", "/jobs/{job}");
  echo("DELETE", "/jobs/{id}");
  const Response refused = run(request_to("PUT", "/jobs/1"));
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(header_of(refused, "Allow"), "DELETE, GET, HEAD, OPTIONS");
  EXPECT_NE(std::get<std::string>(refused.body).find("does not take PUT; it takes DELETE, GET, HEAD."),
            std::string::npos);
  const Response options = run(request_to("OPTIONS", "/jobs/1"));
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(header_of(options, "Allow"), "DELETE, GET, HEAD, OPTIONS");
  EXPECT_EQ(status("OPTIONS", "*"), 204);
  EXPECT_EQ(status("OPTIONS", "/none"), 404);
  EXPECT_EQ(status("get", "/jobs/1"), 405);
}

TEST_F(RouterTest, AnswersHeadByGetUnlessThereIsAHead) {
  echo("GET", "/a");
  echo("GET", "/b");
  echo("POST", "/c");
  router_.add({"HEAD", "/b", [](const Context& context) { context.reply.send(Response::text(202, "")); }});
  EXPECT_EQ(status("HEAD", "/a"), 200);
  EXPECT_EQ(status("HEAD", "/b"), 202);
  EXPECT_EQ(status("HEAD", "/c"), 405);
  EXPECT_EQ(refusal("HEAD", "/a"), 0);
}

TEST_F(RouterTest, ChoosesTheBodyPolicyBeforeTheBody) {
  router_.add({"PUT", "/artifacts/{name}", [](const Context&) {}, 1'000'000'000, true});
  echo("POST", "/jobs");
  const auto policy = std::get<BodyPolicy>(router_.on_head(request_to("PUT", "/artifacts/a%2Fb")));
  EXPECT_EQ(policy.max_bytes, 1'000'000'000);
  EXPECT_TRUE(policy.spool);
  const auto plain = std::get<BodyPolicy>(router_.on_head(request_to("POST", "/jobs")));
  EXPECT_EQ(plain.max_bytes, static_cast<std::int64_t>(limits::kBodyBytes));
  EXPECT_FALSE(plain.spool);
  EXPECT_EQ(refusal("POST", "/none"), 404);
  EXPECT_EQ(refusal("POST", "/artifacts/a"), 405);
  EXPECT_EQ(refusal("OPTIONS", "/jobs"), 204);
  ASSERT_EQ(seen_.size(), 3U);
  EXPECT_EQ(seen_[0].route, "unmatched");
  EXPECT_EQ(seen_[1].route, "refused");
  EXPECT_EQ(seen_[1].status, 405);
}

TEST_F(RouterTest, AGuardRefusesBeforeTheBody) {
  router_.add({.method = "PUT",
               .pattern = "/kept/{name}",
               .handler = [](const Context&) {},
               .guard = [](const Request& head, const PathValues& path) -> Status {
                 if (path.find("name")->second == "never") return invalid("name", "not this name");
                 if (head.header("authorization") == "yes") return Ok{};
                 return Error{Errc::unauthenticated, "who are you"};
               }});
  EXPECT_EQ(refusal("PUT", "/kept/a"), 401);
  ASSERT_EQ(seen_.size(), 1U);
  EXPECT_EQ(seen_[0].route, "/kept/{name}");
  EXPECT_EQ(seen_[0].status, 401);
  Request known = request_to("PUT", "/kept/a");
  known.headers = {{"authorization", "yes"}};
  EXPECT_EQ(router_.on_head(known).index(), 0U);
  EXPECT_EQ(refusal("PUT", "/kept/never"), 400);
}

TEST_F(RouterTest, TakesASaneRequestIdAndMakesOneOtherwise) {
  std::string inside;
  router_.add({"GET", "/id", [&](const Context& context) {
                 inside = context.request_id;
                 context.reply.send(Response::text(200, ""));
               }});
  Request request = request_to("GET", "/id");
  request.headers = {{"x-request-id", "abc-1.2_3"}};
  EXPECT_EQ(header_of(run(request), "X-Request-Id"), "abc-1.2_3");
  EXPECT_EQ(inside, "abc-1.2_3");
  for (const std::string& id :
       {std::string(), std::string("a b"), std::string("a\r\nX: y"), std::string(65, 'a')}) {
    request.headers = {{"x-request-id", id}};
    EXPECT_EQ(header_of(run(request), "X-Request-Id"), inside);
    EXPECT_NE(inside, id);
    EXPECT_EQ(inside.size(), 16U);
  }
  const std::string before = inside;
  run(request_to("GET", "/id"));
  EXPECT_NE(inside, before);
  EXPECT_NE(header_of(std::get<Response>(router_.on_head(request_to("GET", "/none"))), "X-Request-Id"), "");
}

TEST_F(RouterTest, ReportsEachRequestByItsPattern) {
  echo("GET", "/jobs/{job}");
  run(request_to("GET", "/jobs/77"));
  run(request_to("GET", "/none"));
  ASSERT_EQ(seen_.size(), 2U);
  EXPECT_EQ(seen_[0].method, "GET");
  EXPECT_EQ(seen_[0].route, "/jobs/{job}");
  EXPECT_EQ(seen_[0].status, 200);
  EXPECT_GE(seen_[0].seconds, 0);
  EXPECT_EQ(seen_[1].route, "unmatched");
  EXPECT_EQ(seen_[1].status, 404);
}

TEST_F(RouterTest, TurnsAnExceptionIntoA500WithoutItsCause) {
  router_.add({"GET", "/throws", [](const Context&) { throw std::runtime_error("secret cause"); }});
  router_.add({"GET", "/odd", [](const Context&) { throw 1; }});
  const Response response = run(request_to("GET", "/throws"));
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(std::get<std::string>(response.body).find("secret"), std::string::npos);
  EXPECT_EQ(status("GET", "/odd"), 500);
  EXPECT_EQ(seen_[0].status, 500);
}

TEST_F(RouterTest, AnswersForAHandlerThatForgets) {
  router_.add({"GET", "/forgets", [](const Context&) {}});
  EXPECT_EQ(status("GET", "/forgets"), 500);
  ASSERT_EQ(seen_.size(), 1U);
  EXPECT_EQ(seen_[0].status, 500);
}

TEST_F(RouterTest, AClientThatHasGoneIsNoFaultOfTheServer) {
  std::vector<Reply> waiting;
  router_.add({"GET", "/waits", [&](const Context& context) { waiting.push_back(context.reply); }});
  const auto sink = std::make_shared<FakeSink>();
  router_.on_request(request_to("GET", "/waits"), Reply(sink));
  sink->is_open = false;
  waiting.clear();  // let go of, for nobody waits
  ASSERT_EQ(seen_.size(), 1U);
  EXPECT_EQ(seen_[0].status, 499);
  EXPECT_TRUE(sink->responses.at(0).abandon) << "whoever still listens is told of no fault";
}

TEST_F(RouterTest, SendsTheFirstAnswerOnly) {
  std::vector<bool> done;
  router_.add({"GET", "/twice", [&](const Context& context) {
                 context.reply.send(Response::text(200, "first"),
                                    [&](bool delivered) { done.push_back(delivered); });
                 EXPECT_FALSE(context.reply.open());
                 context.reply.send(Response::text(201, "second"),
                                    [&](bool delivered) { done.push_back(delivered); });
                 throw std::runtime_error("after the answer");
               }});
  EXPECT_EQ(body("GET", "/twice"), "first");
  EXPECT_EQ(done, (std::vector<bool>{true, false}));
  EXPECT_EQ(seen_.size(), 1U);
}

TEST_F(RouterTest, LetsAReplyComeLaterFromAnotherThread) {
  std::vector<Reply> waiting;
  router_.add({"GET", "/later", [&](const Context& context) { waiting.push_back(context.reply); }});
  const auto sink = std::make_shared<FakeSink>();
  router_.on_request(request_to("GET", "/later"), Reply(sink));
  ASSERT_EQ(waiting.size(), 1U);
  EXPECT_TRUE(waiting[0].open());
  sink->is_open = false;
  EXPECT_FALSE(waiting[0].open());
  std::thread([&] { waiting[0].send(Response::text(200, "late")); }).join();
  ASSERT_EQ(sink->responses.size(), 1U);
  waiting.clear();
  EXPECT_EQ(sink->responses.size(), 1U);
}

TEST_F(RouterTest, ListsItsRoutes) {
  echo("POST", "/jobs");
  echo("GET", "/jobs");
  EXPECT_EQ(router_.routes(),
            (std::vector<std::pair<std::string, std::string>>{{"GET", "/jobs"}, {"POST", "/jobs"}}));
}

using RouterDeathTest = RouterTest;

TEST_F(RouterDeathTest, AbortsOnAnAmbiguousOrMalformedRoute) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const RouteHandler none = [](const Context&) {};
  router_.add({"GET", "/jobs/{job}", none});
  router_.add({"PUT", "/jobs/{id}", none});
  EXPECT_DEATH(router_.add({"GET", "/jobs/{id}", none}), "there already");
  for (const char* pattern : {"", "jobs", "//", "/a//b", "/{}", "/{a", "/a}", "/{a}/{a}", "/x{a}"}) {
    EXPECT_DEATH(router_.add({"GET", pattern, none}), "malformed") << pattern;
  }
  EXPECT_DEATH(router_.add({.method = "GET", .pattern = "/a", .handler = none, .tail = true}), "malformed");
}

}  // namespace
}  // namespace drover::http
