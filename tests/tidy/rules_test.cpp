// Every rule is shown a violation, planted in memory, and the innocent text that resembles it most.
#include "tidy/rules.hpp"

#include <gtest/gtest.h>

namespace drover::tidy {
namespace {

TEST(Layers, EachLayerMayIncludeItsRowAndNothingElse) {
  for (const auto& [layer, allowed] : allowed_arrows()) {
    for (const auto& [target, unused] : allowed_arrows()) {
      const std::string text = "#pragma once\n#include \"drover/" + target + "/x.hpp\"\n";
      const auto found = check_layers("src/" + layer + "/a.cpp", text);
      const bool may = target == layer || target == "base" || allowed.contains(target);
      EXPECT_EQ(found.empty(), may) << layer << " → " << target;
      for (const Finding& finding : found) EXPECT_EQ(finding.line, 2);
    }
  }
}

TEST(Layers, TheTableHasNoCycle) {
  // Removing layers whose arrows all lead to removed ones must empty the table.
  auto rest = allowed_arrows();
  for (bool removed = true; removed;) {
    removed = false;
    for (auto row = rest.begin(); row != rest.end(); ++row) {
      bool leaf = true;
      for (const auto& target : row->second) leaf = leaf && !rest.contains(target);
      if (!leaf) continue;
      rest.erase(row);
      removed = true;
      break;
    }
  }
  EXPECT_TRUE(rest.empty()) << rest.begin()->first << " is on a cycle";
}

TEST(Layers, PublicHeadersAreHeldToTheSameRow) {
  EXPECT_EQ(check_layers("include/drover/core/job/job.hpp", "#include \"drover/engine/engine.hpp\"\n").size(),
            1u);
  EXPECT_TRUE(
      check_layers("include/drover/engine/engine.hpp", "#include \"drover/core/job/job.hpp\"\n").empty());
}

TEST(Layers, AFolderOutsideTheTableIsRefused) {
  EXPECT_EQ(check_layers("src/helpers/a.cpp", "int a;\n").size(), 1u);
  EXPECT_EQ(check_layers("src/api/a.cpp", "#include \"../postgres/pool.hpp\"\n").size(), 1u);
}

struct ThirdParty {
  const char* header;
  const char* owner;
  const char* stranger;
};
class ThirdPartyTest : public ::testing::TestWithParam<ThirdParty> {};

TEST_P(ThirdPartyTest, StaysInItsLayer) {
  const auto& [header, owner, stranger] = GetParam();
  const std::string text = "\n\n#include <" + std::string(header) + ">\n";
  EXPECT_TRUE(check_third_party("src/" + std::string(owner) + "/a.cpp", text).empty());
  const auto found = check_third_party("src/" + std::string(stranger) + "/a.cpp", text);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].line, 3);
}

INSTANTIATE_TEST_SUITE_P(Owners, ThirdPartyTest,
                         testing::Values(ThirdParty{"nlohmann/json.hpp", "base", "api"},
                                         ThirdParty{"spdlog/spdlog.h", "base", "engine"},
                                         ThirdParty{"openssl/hmac.h", "base", "api"},
                                         ThirdParty{"boost/beast.hpp", "transport", "http"},
                                         ThirdParty{"cpprest/http_listener.h", "transport", "api"},
                                         ThirdParty{"curl/curl.h", "net", "cli"},
                                         ThirdParty{"libxml/parser.h", "aws", "localcloud"},
                                         ThirdParty{"libpq-fe.h", "postgres", "app"},
                                         ThirdParty{"toml++/toml.h", "app", "cli"},
                                         ThirdParty{"CLI/CLI.hpp", "cli", "api"},
                                         ThirdParty{"prometheus/counter.h", "metrics", "engine"}));

class CoreIsPure : public ::testing::TestWithParam<const char*> {};

TEST_P(CoreIsPure, CallIsFound) {
  const std::string text = std::string("// a comment\nvoid f() {\n  ") + GetParam() + ";\n}\n";
  const auto found = check_core_is_pure("src/core/a.cpp", text);
  ASSERT_EQ(found.size(), 1u) << GetParam();
  EXPECT_EQ(found[0].line, 3);
  EXPECT_TRUE(check_core_is_pure("src/engine/a.cpp", text).empty()) << "the rule is for core alone";
}

INSTANTIATE_TEST_SUITE_P(Calls, CoreIsPure,
                         testing::Values("auto t = std::chrono::steady_clock::now()",
                                         "auto t = system_clock::now()", "auto t = time(nullptr)",
                                         "SystemClock clock", "const char* e = getenv(\"A\")",
                                         "std::random_device r", "int r = rand()", "auto t = random_token()",
                                         "auto n = random_u64()", "auto u = make_random_uuid()",
                                         "log_info(\"x\")", "std::cerr << 1", "printf(\"x\")"));

TEST(CoreIsPureTest, WordsInCommentsAndTypesAreNoCalls) {
  EXPECT_TRUE(check_core_is_pure("include/drover/core/a.hpp",
                                 "// calls steady_clock::now() elsewhere; time() too\n"
                                 "SteadyTime next(SteadyTime now);\nint wait_time(int x);\n"
                                 "const char* k = \"rand( getenv( \";\n/* log_info(\"\") */\n")
                  .empty());
  EXPECT_EQ(check_core_is_pure("src/core/a.cpp", "#include \"drover/base/log.hpp\"\n").size(), 1u);
  EXPECT_EQ(check_core_is_pure("src/core/a.cpp", "#include <iostream>\n").size(), 1u);
}

class Sql : public ::testing::TestWithParam<const char*> {};

TEST_P(Sql, StatementInALiteralIsFound) {
  const std::string text = std::string("void f() {\n  run(\"") + GetParam() + "\");\n}\n";
  const auto found = check_no_sql("src/postgres/pool.cpp", text);
  ASSERT_EQ(found.size(), 1u) << GetParam();
  EXPECT_EQ(found[0].line, 2);
  EXPECT_EQ(check_no_sql("src/api/jobs.cpp", "\nauto s = R\"(" + std::string(GetParam()) + ")\";\n").size(),
            1u);
}

INSTANTIATE_TEST_SUITE_P(Statements, Sql,
                         testing::Values("SELECT 1", "SELECT * FROM jobs", "INSERT INTO jobs VALUES (1)",
                                         "DELETE FROM lease WHERE number = $1", "UPDATE jobs SET state = 1",
                                         "CREATE TABLE a (b int)", "DROP INDEX x", "COPY jobs FROM STDIN",
                                         "select number from jobs where true",
                                         "insert into jobs values (1)"));

TEST(SqlTest, PlumbingProseAndCommentsAreLeftAlone) {
  EXPECT_TRUE(check_no_sql("src/postgres/session.cpp",
                           "// SELECT in a comment\nrun(\"BEGIN\"); run(\"COMMIT\"); run(\"ROLLBACK\");\n"
                           "run(\"SET jit = off\"); log(\"select a pool, then insert it\"); int SELECT = 1;\n"
                           "char c = '\"'; // INSERT INTO x\n")
                  .empty());
}

TEST(HashedText, IsFoundByItsKey) {
  for (const char* type : {"std::unordered_set<std::string>", "std::unordered_map<std::string_view, int>",
                           "unordered_map< string, int>", "std::unordered_multimap<std::string, int>"})
    EXPECT_EQ(check_no_hashed_text("src/base/json.cpp", type + std::string(" keys;\n")).size(), 1U) << type;
  for (const char* type : {"std::unordered_map<std::int64_t, std::string>", "std::set<std::string>",
                           "// an unordered_set<std::string> would do"})
    EXPECT_TRUE(check_no_hashed_text("src/base/json.cpp", type + std::string(" keys;\n")).empty()) << type;
}

}  // namespace
}  // namespace drover::tidy
