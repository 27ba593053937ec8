#include "drover/base/json.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace drover {
namespace {

std::string reprint(std::string_view text) {
  auto parsed = parse_json(text);
  return parsed.ok() ? parsed->dump() : "error: " + parsed.error().message;
}

TEST(Json, KeepsOrderAndTheTextOfFractions) {
  EXPECT_EQ(reprint(R"( {"b":1.50,"a":[true,null,-3],"é":"\u00e9\n"} )"),
            "{\"b\":1.50,\"a\":[true,null,-3],\"é\":\"é\\n\"}");
  EXPECT_EQ(reprint("12345678901234567890123"), "12345678901234567890123");
  EXPECT_EQ(reprint("1e2"), "1e2");
  EXPECT_EQ(Json(1.0).dump(), "1.0");
}

TEST(Json, RefusesWhatIsNotOneStrictValue) {
  const std::string_view bad[] = {"",
                                  "   ",
                                  "{",
                                  "{}x",
                                  "[1,]",
                                  "{\"a\":1,\"a\":2}",
                                  "\"\\u0000\"",
                                  "{\"a\\u0000\":1}",
                                  "\"\\ud800\"",
                                  "\"\xff\"",
                                  "1e999",
                                  "nul",
                                  "'a'",
                                  "[1] [2]",
                                  "\"\x01\"",
                                  "NaN",
                                  "01",
                                  "+1"};
  EXPECT_FALSE(parse_json(std::string_view("{}\0{}", 5)).ok()) << "what follows a NUL counts, too";
  for (const std::string_view text : bad) {
    const auto parsed = parse_json(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, Errc::invalid) << text;
    EXPECT_FALSE(parsed.error().message.empty()) << text;
  }
}

TEST(Json, BoundsDepthAndCount) {
  EXPECT_TRUE(parse_json(std::string(32, '[') + std::string(32, ']')).ok());
  EXPECT_FALSE(parse_json(std::string(33, '[') + std::string(33, ']')).ok());
  EXPECT_FALSE(parse_json(std::string(200'000, '[')).ok());
  EXPECT_FALSE(parse_json("[1,2,3]", JsonLimits{.depth = 4, .values = 2}).ok());
}

TEST(Json, NamesTheDuplicateMember) {
  const auto parsed = parse_json(R"({"queue":1,"queue":2})");
  ASSERT_FALSE(parsed.ok());
  EXPECT_NE(parsed.error().message.find("queue"), std::string::npos);
}

// A few members are compared one by one, many by a table.
TEST(Json, FindsADuplicateAmongFewMembersAndMany) {
  for (const int members : {2, 15, 16, 17, 18, 40}) {
    for (const int again : {0, members / 2, members - 1}) {
      std::string text = R"({"outer":{)";
      for (int i = 0; i < members; ++i) text += fmt::format(R"("m{}":{{"m{}":1}},)", i, i);
      EXPECT_FALSE(parse_json(text + fmt::format(R"("m{}":2}}}})", again)).ok()) << members << " " << again;
      const Result<Json> sound = parse_json(text + R"("other":2},"m0":3})");
      ASSERT_TRUE(sound.ok()) << members;
      EXPECT_EQ(sound->find("outer")->if_object()->size(), static_cast<std::size_t>(members) + 1);
    }
  }
}

TEST(Json, WritesEveryCharacterSoThatItIsReadAgain) {
  for (int c = 1; c < 0x80; ++c) {
    for (const char* around : {"", "x", "\"", "\xc3\xa9"}) {
      const std::string text = std::string(around) + static_cast<char>(c) + around;
      const Result<Json> again = parse_json(Json(text).dump());
      ASSERT_TRUE(again.ok()) << c;
      EXPECT_EQ(*again->if_string(), text);
    }
  }
}

TEST(Json, FindsAndSetsMembers) {
  Json value = Json::object();
  value.set("a", 1).set("b", "x").set("a", 2);
  EXPECT_EQ(value.dump(), R"({"a":2,"b":"x"})");
  ASSERT_NE(value.find("b"), nullptr);
  EXPECT_EQ(*value.find("b")->if_string(), "x");
  EXPECT_EQ(value.find("c"), nullptr);
  EXPECT_EQ(Json(3).find("a"), nullptr);
}

TEST(Json, AWholeNumberIsOneHoweverItIsWritten) {
  for (const char* text : {"3", "3.0", "3e0", "0.3e1", "30E-1"})
    EXPECT_EQ(parse_json(text)->whole(), 3) << text;
  EXPECT_EQ(parse_json("9223372036854775807")->whole(), INT64_MAX);
  EXPECT_EQ(parse_json("-1e15")->whole(), -1'000'000'000'000'000);
  for (const char* text : {"3.5", "1e300", "9223372036854775808", "\"3\"", "true", "null", "[3]"}) {
    EXPECT_FALSE(parse_json(text)->whole()) << text;
  }
}

TEST(Json, ComparesObjectsWithoutOrder) {
  EXPECT_TRUE(*parse_json(R"({"a":1,"b":[2]})") == *parse_json(R"({"b":[2],"a":1})"));
  EXPECT_FALSE(*parse_json(R"({"a":1})") == *parse_json(R"({"a":2})"));
}

}  // namespace
}  // namespace drover
