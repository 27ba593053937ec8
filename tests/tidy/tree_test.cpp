// The rules, applied to the tree as it is.
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "tidy/rules.hpp"

namespace drover::tidy {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Tree, KeepsToTheLayout) {
  const fs::path top = DROVER_SOURCE_DIR;
  int files = 0;
  for (const char* root : {"src", "include"}) {
    for (const auto& entry : fs::recursive_directory_iterator(top / root)) {
      const fs::path extension = entry.path().extension();
      if (extension != ".cpp" && extension != ".hpp") continue;
      ++files;
      const std::string path = fs::relative(entry.path(), top).generic_string();
      for (const Finding& finding : check_all(path, read(entry.path()))) {
        ADD_FAILURE() << finding.file << ":" << finding.line << ": " << finding.what;
      }
    }
  }
  EXPECT_GT(files, 30) << "the sources were not found under " << top;
}

}  // namespace
}  // namespace drover::tidy
