#include "drover/http/message.hpp"

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

namespace drover::http {
namespace {

Request parsed(std::string_view target, std::string method = "GET") {
  Request request;
  request.method = std::move(method);
  const Status status = parse_target(target, request);
  EXPECT_TRUE(status.ok()) << target << ": " << (status.ok() ? "" : status.error().message);
  return request;
}

bool refused(std::string_view target, std::string method = "GET") {
  Request request;
  request.method = std::move(method);
  const Status status = parse_target(target, request);
  return !status.ok() && status.error().code == Errc::invalid && !status.error().message.empty();
}

TEST(ParseTarget, DecodesPathAndQuery) {
  const Request request = parsed("/jobs/a%20b/%C3%A9+x?state=queued&name=a+b%26c&state=held&flag");
  EXPECT_EQ(request.path, "/jobs/a b/é+x");
  EXPECT_EQ(request.raw_path, "/jobs/a%20b/%C3%A9+x");
  ASSERT_EQ(request.query.size(), 4U);
  EXPECT_EQ(request.query_value("state"), "queued");
  EXPECT_EQ(request.query_value("name"), "a b&c");
  EXPECT_EQ(request.query[2].second, "held");
  EXPECT_EQ(request.query_value("flag"), "");
  EXPECT_EQ(request.query_value("none"), std::nullopt);
}

TEST(ParseTarget, KeepsTheEncodedSlashApart) {
  const Request request = parsed("/artifacts/a%2Fb");
  EXPECT_EQ(request.path, "/artifacts/a/b");
  EXPECT_EQ(request.raw_path, "/artifacts/a%2Fb");
}

TEST(ParseTarget, TakesTheAbsoluteForm) {
  EXPECT_EQ(parsed("http://head:8080/jobs?limit=1").path, "/jobs");
  EXPECT_EQ(parsed("http://head:8080/jobs?limit=1").query_value("limit"), "1");
  EXPECT_EQ(parsed("http://head:8080/jobs?limit=1").authority, "head:8080");
  EXPECT_EQ(parsed("/jobs?x=http://head/").authority, "");
  EXPECT_EQ(parsed("HTTPS://head").path, "/");
  EXPECT_EQ(parsed("http://head?limit=1").path, "/");
  EXPECT_EQ(parsed("http://head?limit=1").query_value("limit"), "1");
}

TEST(ParseTarget, TakesAStarForOptionsAlone) {
  EXPECT_EQ(parsed("*", "OPTIONS").path, "*");
  EXPECT_TRUE(refused("*", "GET"));
}

TEST(ParseTarget, RefusesTraps) {
  for (const char* target : {"", "jobs", "?a=1", "head:443", "ftp://head/x", "http://", "http:///x",
                             "http://me@head/x", "/a%", "/a%2", "/a%zz", "/a%00b", "/a?x=%00", "/a?x=%",
                             "/a?%gg=1", "/%ff", "/a?x=%c3%28", "/%c0%af", "/a#b"}) {
    EXPECT_TRUE(refused(target)) << target;
  }
}

TEST(ParseTarget, ForgetsAnEarlierQuery) {
  Request request = parsed("/a?x=1");
  ASSERT_TRUE(parse_target("/b", request).ok());
  EXPECT_TRUE(request.query.empty());
}

TEST(Message, FindsTheFirstHeader) {
  Request request;
  request.headers = {{"accept", "a"}, {"accept", "b"}};
  EXPECT_EQ(request.header("accept"), "a");
  EXPECT_EQ(request.header("host"), "");
}

TEST(Message, BuildsResponses) {
  const Response json = std::move(Response::json(201, "{}").with("Location", "/jobs/1"));
  EXPECT_EQ(json.status, 201);
  EXPECT_EQ(json.headers, (Headers{{"Content-Type", "application/json"}, {"Location", "/jobs/1"}}));
  EXPECT_EQ(std::get<std::string>(json.body), "{}");
  EXPECT_EQ(Response::text(200, "x").headers.front().second, "text/plain; charset=utf-8");
}

TEST(Message, RemovesASpooledFileWithItsLastHolder) {
  std::string path = "/tmp/drover-http-XXXXXX";
  const int fd = ::mkstemp(path.data());
  ASSERT_GE(fd, 0);
  ::close(fd);
  auto first = std::make_shared<SpooledFile>(path, 0);
  auto second = first;
  first.reset();
  EXPECT_EQ(::access(path.c_str(), F_OK), 0);
  second.reset();
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace drover::http
