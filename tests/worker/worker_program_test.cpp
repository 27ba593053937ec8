#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drover/base/limits.hpp"
#include "drover/ports/tokens.hpp"
#include "drover/worker/worker.hpp"

namespace drover::worker {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(WorkerProgram, IsThePartsOfTheSourceTreeInTheOrderOfTheirNames) {
  std::set<std::filesystem::path> parts;
  for (const auto& part : std::filesystem::directory_iterator(DROVER_SOURCE_DIR "/src/worker/program")) {
    if (part.path().extension() == ".sh") parts.insert(part.path());
  }
  std::ostringstream script;
  for (const auto& part : parts) script << std::ifstream(part, std::ios::binary).rdbuf();
  EXPECT_THAT(script.str(), StartsWith("#!"));
  EXPECT_EQ(worker_program(), script.str());
}

TEST(UserData, IsFilledInButForTheToken) {
  const std::string text = render_user_data("https://head.example:8443/", 4);
  EXPECT_THAT(text, StartsWith("#!"));
  EXPECT_THAT(text, HasSubstr("'https://head.example:8443'"));
  EXPECT_THAT(text, HasSubstr("DROVER_SLOTS=4"));
  EXPECT_THAT(text, HasSubstr(std::string(ports::kBootstrapPlaceholder)));
  EXPECT_THAT(text, Not(HasSubstr("@DROVER_URL@")));
  EXPECT_THAT(text, Not(HasSubstr("@DROVER_SLOTS@")));
  EXPECT_LT(text.size() + 64, limits::kUserDataBytes);
}

TEST(UserData, QuotesTheUrlForTheShell) {
  EXPECT_THAT(render_user_data("http://h/';$(reboot)", 1), HasSubstr(R"('http://h/'\'';$(reboot)')"));
}

}  // namespace
}  // namespace drover::worker
