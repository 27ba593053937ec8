// docs/guarantees.md names the tests that hold each promise: they must exist.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace drover::tidy {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

class TestNames {
 public:
  explicit TestNames(const fs::path& tests) : tests_(tests) {
    for (const auto& entry : fs::recursive_directory_iterator(tests)) {
      const fs::path& path = entry.path();
      if (path.extension() == ".cpp") cases_ += text_of(path);
      if (path.extension() == ".py") functions_[path.stem().string()] = text_of(path);
    }
  }

  // "file::function", "fuzz.name", "beast.Case", "Suite.Case"; a '*' at the end stands for anything.
  [[nodiscard]] bool known(const std::string& name) const {
    if (const auto colons = name.find("::"); colons != std::string::npos) {
      const auto file = functions_.find(name.substr(0, colons));
      return file != functions_.end() &&
             file->second.find("def " + name.substr(colons + 2) + "(") != std::string::npos;
    }
    const auto dot = name.find('.');
    const std::string suite = name.substr(0, dot);
    const std::string one = name.substr(dot + 1);
    if (suite == "fuzz") return fs::exists(tests_ / "fuzz" / (one + "_fuzz.cpp"));
    const bool open = one.ends_with('*');
    const std::string start = open ? one.substr(0, one.size() - 1) : one;
    if (suite == "beast") {
      return cases_.find(open ? "\"" + start : "CONFORMANCE(" + start + ")") != std::string::npos;
    }
    return cases_.find("(" + suite + ", " + start + (open ? "" : ")")) != std::string::npos;
  }

 private:
  fs::path tests_;
  std::string cases_;
  std::map<std::string, std::string> functions_;
};

TEST(Guarantees, NameTestsThatExist) {
  const fs::path top = DROVER_SOURCE_DIR;
  const TestNames tests(top / "tests");
  const std::string text = text_of(top / "docs/guarantees.md");
  const std::regex name("`((\\w+_test::test_\\w+)|((fuzz|beast|[A-Z]\\w+)\\.\\w*\\*?))`");
  std::ptrdiff_t named = 0;
  for (std::sregex_iterator at(text.begin(), text.end(), name), end; at != end; ++at, ++named) {
    EXPECT_TRUE(tests.known((*at)[1])) << (*at)[1] << " is no test";
  }
  EXPECT_GT(named, 70);
  EXPECT_FALSE(tests.known("Guarantees.NameNothing"));
  EXPECT_FALSE(tests.known("crash_test::test_nothing"));
  EXPECT_FALSE(tests.known("fuzz.nothing"));
}

}  // namespace
}  // namespace drover::tidy
