#include "drover/http/problem.hpp"

#include <string>

#include <gtest/gtest.h>

#include "drover/base/json.hpp"

#include "http/fake_reply.hpp"

namespace drover::http {
namespace {

Json body_of(const Response& response) {
  const auto parsed = parse_json(std::get<std::string>(response.body));
  EXPECT_TRUE(parsed.ok());
  return parsed.ok() ? *parsed : Json();
}

std::string member(const Response& response, std::string_view name) {
  const Json body = body_of(response);
  const Json* found = body.find(name);
  if (found == nullptr) return "(absent)";
  return found->if_string() != nullptr ? *found->if_string() : found->dump();
}

TEST(Problem, MapsEveryCode) {
  const struct {
    Errc code;
    int status;
    const char* name;
  } table[] = {
      {Errc::invalid, 400, "invalid"},
      {Errc::not_found, 404, "not_found"},
      {Errc::conflict, 409, "conflict"},
      {Errc::stale, 409, "stale"},
      {Errc::unauthenticated, 401, "unauthenticated"},
      {Errc::forbidden, 403, "forbidden"},
      {Errc::too_large, 413, "too_large"},
      {Errc::overloaded, 429, "overloaded"},
      {Errc::unavailable, 503, "unavailable"},
      {Errc::timeout, 504, "timeout"},
      {Errc::data, 400, "data"},
      {Errc::commit_unknown, 503, "commit_unknown"},
      {Errc::storage_full, 507, "storage_full"},
      {Errc::internal, 500, "internal"},
  };
  for (const auto& row : table) {
    EXPECT_EQ(status_of(row.code), row.status) << row.name;
    EXPECT_EQ(code_name(row.code), row.name);
    const Response response = problem(Error{row.code, "Something."});
    EXPECT_EQ(response.status, row.status) << row.name;
    EXPECT_EQ(member(response, "code"), row.name);
    EXPECT_EQ(member(response, "status"), std::to_string(row.status));
    EXPECT_NE(member(response, "title"), "") << row.name;
    EXPECT_EQ(header_of(response, "Content-Type"), "application/problem+json");
    EXPECT_EQ(header_of(response, "WWW-Authenticate"), row.status == 401 ? "Bearer" : "") << row.name;
    EXPECT_EQ(header_of(response, "Retry-After"), row.status == 429 || row.status == 503 ? "1" : "")
        << row.name;
  }
}

TEST(Problem, RepeatsTheSentenceForOldClients) {
  const Response response = problem(invalid("task.env", "An environment name holds '='."));
  for (const char* name : {"detail", "message", "error"}) {
    EXPECT_EQ(member(response, name), "An environment name holds '='.");
  }
  EXPECT_EQ(member(response, "type"), "about:blank");
  EXPECT_EQ(member(response, "title"), "Bad Request");
  EXPECT_EQ(member(response, "field"), "task.env");
  EXPECT_EQ(member(problem(Error{Errc::conflict, "No."}), "field"), "(absent)");
}

TEST(Problem, EndsWithANewline) {
  for (const Response& response : {problem(invalid("a", "No.")), problem(404, "not_found", "Nothing.")}) {
    EXPECT_EQ(std::get<std::string>(response.body).back(), '\n');
  }
}

TEST(Problem, SaysWhenToRetry) {
  EXPECT_EQ(header_of(problem(Error{Errc::overloaded, "Full.", {}, {}, 7}), "Retry-After"), "7");
  EXPECT_EQ(header_of(problem(Error{Errc::timeout, "Late.", {}, {}, 3}), "Retry-After"), "3");
}

TEST(Problem, HidesTheCauseOfAnInternalError) {
  const Response response = problem(Error{Errc::internal, "secret cause", "secret field", "secret detail"});
  EXPECT_EQ(std::get<std::string>(response.body).find("secret"), std::string::npos);
}

TEST(Problem, IsJsonWhateverTheMessageQuotes) {
  const Response response = problem(invalid("a\xff", std::string("bad \xc3\x28 \0 byte", 13)));
  EXPECT_EQ(member(response, "detail").substr(0, 7), "bad ?( ");
  EXPECT_EQ(member(response, "field"), "a?");
  EXPECT_EQ(member(problem(invalid({}, "\"é\"\n")), "detail"), "\"é\"\n");
}

TEST(Problem, RendersStatusesOfHttpItself) {
  const Response response = problem(431, "header_too_large", "The header is too large.");
  EXPECT_EQ(response.status, 431);
  EXPECT_EQ(member(response, "title"), "Request Header Fields Too Large");
  EXPECT_EQ(member(response, "code"), "header_too_large");
}

TEST(Problem, WhatAClientSentIsQuotedInPart) {
  const std::string name(1'000'000, 'x');
  const Response answer = problem(invalid(name, name + " is not a known member"));
  const auto& body = std::get<std::string>(answer.body);
  EXPECT_LT(body.size(), 10'000U);
  const Result<Json> json = parse_json(body);
  ASSERT_TRUE(json.ok());
  EXPECT_TRUE(json->find("detail")->if_string()->ends_with("x…"));
  // Not in the middle of a character.
  std::string odd = "a";
  for (int i = 0; i < 2000; ++i) odd += "é";
  const Response other = problem(invalid("", odd));
  EXPECT_TRUE(parse_json(std::get<std::string>(other.body))->find("detail")->if_string()->ends_with("é…"));
}

}  // namespace
}  // namespace drover::http
