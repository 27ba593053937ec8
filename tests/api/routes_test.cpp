// What the table of routes and the handlers have to agree on.
#include <fstream>

#include "drover/base/check.hpp"

#include "api/service.hpp"
#include "fixture.hpp"

namespace drover::api {
namespace {

TEST(CallPath, ANameThatThePatternLacksIsADefectThatIsSaid) {
  http::Context context{
      .request = {}, .path = {}, .route = "", .request_id = "", .reply = http::Reply(nullptr)};
  context.path["job"] = "17";
  const Call call(std::move(context));
  EXPECT_EQ(call.path("job"), "17");
  EXPECT_THROW(static_cast<void>(call.path("number")), CheckFailed);
}

class Routes : public ApiTest {
 protected:
  // A path that the pattern matches, and that leads to something that is there.
  static std::string path_of(std::string pattern) {
    const std::vector<std::pair<std::string, std::string>> values{
        {"{job}", "17"},   {"{attempt}", "1"}, {"{stream}", "stdout"},
        {"{worker}", "7"}, {"{pool}", "p"},    {"{name}", "result.txt"}};
    for (const auto& [name, value] : values) {
      const auto at = pattern.find(name);
      if (at != std::string::npos) pattern.replace(at, name.size(), value);
    }
    return pattern;
  }
};

TEST_F(Routes, EveryHandlerFindsTheNamesThatItAsksForInItsPattern) {
  add_job(17);
  int bodies = 0;
  const http::Headers headers{{"authorization", "Bearer 7.secret"}, {"x-drover-attempt-token", "token"}};
  for (const auto& [method, pattern] : router.routes()) {
    const std::string path = path_of(pattern);
    EXPECT_EQ(path.find('{'), std::string::npos) << pattern << ": this test knows no value for its name";
    for (const char* body : {"", "{}", R"({"name":"p","image":"ami-1"})"}) {
      // A name of its own: the last one's file may be removed after its answer.
      const std::string file = artifacts.spool_directory() + "/body-" + std::to_string(++bodies);
      std::ofstream(file) << body;
      const Answer answer = send(method, path, body, headers, std::make_shared<http::SpooledFile>(file, 0));
      if (pattern == "/scheduler") continue;  // it speaks another dialect's errors
      EXPECT_NE(answer.status, 500) << method << ' ' << path << ' ' << body << ": " << answer.body;
    }
  }
}

}  // namespace
}  // namespace drover::api
