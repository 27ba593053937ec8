#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drover/base/limits.hpp"
#include "drover/worker/worker.hpp"

namespace drover::worker {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(WorkerProgram, IsTheScriptOfTheSourceTree) {
  std::ifstream in(DROVER_SOURCE_DIR "/src/worker/drover-worker", std::ios::binary);
  std::ostringstream script;
  script << in.rdbuf();
  EXPECT_THAT(script.str(), StartsWith("#!"));
  EXPECT_EQ(worker_program(), script.str());
}

TEST(UserData, IsFilledInButForTheToken) {
  const std::string text = render_user_data("https://head.example:8443/", 4);
  EXPECT_THAT(text, StartsWith("#!"));
  EXPECT_THAT(text, HasSubstr("'https://head.example:8443'"));
  EXPECT_THAT(text, HasSubstr("DROVER_SLOTS=4"));
  EXPECT_THAT(text, HasSubstr(kBootstrapTokenPlaceholder));
  EXPECT_THAT(text, Not(HasSubstr("@DROVER_URL@")));
  EXPECT_THAT(text, Not(HasSubstr("@DROVER_SLOTS@")));
  EXPECT_LT(text.size() + 64, limits::kUserDataBytes);
}

TEST(UserData, QuotesTheUrlForTheShell) {
  EXPECT_THAT(render_user_data("http://h/';$(reboot)", 1), HasSubstr(R"('http://h/'\'';$(reboot)')"));
}

}  // namespace
}  // namespace drover::worker
