#include "drover/base/text.hpp"

#include <array>

#include <gtest/gtest.h>

#include "drover/base/http_date.hpp"
#include "drover/base/ids.hpp"
#include "drover/base/secret.hpp"

namespace drover {
namespace {

TEST(Text, ParsesWholeIntegersOnly) {
  EXPECT_EQ(parse_int("-12"), -12);
  for (const char* bad : {"", "1x", " 1", "+1", "9223372036854775808", "1.0"})
    EXPECT_FALSE(parse_int(bad)) << bad;
}

TEST(Text, StorableIsUtf8WithoutNul) {
  for (const char* good : {"", "abc", "é", "€", "\xF0\x9F\x90\x91"}) EXPECT_TRUE(storable_text(good)) << good;
  for (const std::string_view bad :
       {std::string_view("a\0b", 3), std::string_view("\xff"), std::string_view("\xc0\x80"),
        std::string_view("\xed\xa0\x80"), std::string_view("\xf4\x90\x80\x80"), std::string_view("\xe2\x82"),
        std::string_view("\xe0\x80\x80")}) {
    EXPECT_FALSE(storable_text(bad)) << hex_encode(bad);
  }
}

TEST(Text, TheNearestWordIsWhatWasProbablyMeant) {
  constexpr std::array<std::string_view, 5> kWords{"command", "args", "env", "queue", "lease_s"};
  for (const auto& [word, near] : {std::pair{"comand", "command"},
                                   {"Command", "command"},
                                   {"arg", "args"},
                                   {"evn", "env"},
                                   {"qeue", "queue"},
                                   {"lease", "lease_s"},
                                   {"x", ""},
                                   {"", ""},
                                   {"colour", ""},
                                   {"cmd", ""}}) {
    EXPECT_EQ(nearest(word, kWords), near) << word;
  }
  EXPECT_EQ(nearest(std::string(100'000, 'x'), kWords), "");
  EXPECT_EQ(what_there_is("evn", kWords), "; did you mean env? There are command, args, env, queue, lease_s");
  EXPECT_EQ(what_there_is("x", {}), "; there are none");
}

TEST(Text, CountsCharacters) {
  EXPECT_EQ(characters(""), 0U);
  EXPECT_EQ(characters("aé€\xF0\x9F\x90\x91"), 4U);
}

TEST(Text, Rfc3339RoundTrips) {
  const auto time = parse_rfc3339("2026-01-02T03:04:05.678901Z");
  ASSERT_TRUE(time);
  EXPECT_EQ(to_rfc3339(*time), "2026-01-02T03:04:05.678901Z");
  EXPECT_EQ(to_rfc3339(*parse_rfc3339("2026-01-02T05:04:05+02:00")), "2026-01-02T03:04:05Z");
  EXPECT_EQ(to_rfc3339(*parse_rfc3339("1969-12-31T23:59:59.5Z")), "1969-12-31T23:59:59.500000Z");
  EXPECT_EQ(to_rfc3339(*parse_rfc3339("9999-12-31T23:59:59.999999Z")), "9999-12-31T23:59:59.999999Z");
  for (const char* bad :
       {"", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-02", "2026-01-02T03:04:05",
        "2026-01-02T24:00:00Z", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05Zx", "9999-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00+00:01"}) {
    EXPECT_FALSE(parse_rfc3339(bad)) << bad;
  }
}

TEST(HttpDate, ReadsAndWritesTheOneForm) {
  EXPECT_EQ(parse_http_date("Fri, 02 Jan 2026 03:04:05 GMT"), parse_rfc3339("2026-01-02T03:04:05Z"));
  EXPECT_EQ(parse_http_date("Thu, 31 Dec 2026 23:59:59 GMT"), parse_rfc3339("2026-12-31T23:59:59Z"));
  for (const char* time : {"1970-01-01T00:00:00Z", "2026-01-02T03:04:05Z", "2024-02-29T23:59:59Z"}) {
    EXPECT_EQ(parse_http_date(to_http_date(*parse_rfc3339(time))), parse_rfc3339(time)) << time;
  }
  EXPECT_EQ(to_http_date(*parse_rfc3339("2026-01-02T03:04:05.999999Z")), "Fri, 02 Jan 2026 03:04:05 GMT");
  EXPECT_EQ(to_http_date(*parse_rfc3339("1969-12-31T23:59:59.5Z")), "Wed, 31 Dec 1969 23:59:59 GMT");
  for (const char* bad : {"", "now", "Fri, 02 Jan 2026 03:04:05 UTC", "Fri, 02 anJ 2026 03:04:05 GMT",
                          "Fri, 32 Jan 2026 03:04:05 GMT", "Friday, 02-Jan-26 03:04:05 GMT",
                          "Fri, 02 Jan 2026 25:04:05 GMT", "Fri, 02-Jan 2026 03:04:05 GMT"}) {
    EXPECT_FALSE(parse_http_date(bad)) << bad;
  }
}

TEST(Text, EncodingsRoundTripAllBytes) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (std::size_t cut = 0; cut < 4; ++cut) {
    const std::string part = all.substr(cut);
    EXPECT_EQ(base64_decode(base64_encode(part)), part);
    EXPECT_EQ(percent_decode(percent_encode(part)), part);
  }
  EXPECT_EQ(base64_encode("hi"), "aGk=");
  for (const char* bad : {"a", "ab=c", "=abc", "a===", "ab!c"}) EXPECT_FALSE(base64_decode(bad)) << bad;
  for (const char* bad : {"%", "%1", "%zz"}) EXPECT_FALSE(percent_decode(bad)) << bad;
}

TEST(Text, FormsDecodePlusAndKeepOrder) {
  const auto form = parse_form("b=1+2&a=%2B&c&b=3");
  ASSERT_TRUE(form);
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"b", "1 2"}, {"a", "+"}, {"c", ""}, {"b", "3"}};
  EXPECT_EQ(*form, expected);
}

TEST(Text, ShellQuoteSurvivesQuotes) {
  EXPECT_EQ(shell_quote("it's $(x)"), "'it'\\''s $(x)'");
}

TEST(Ids, AJobIdCarriesItsNumber) {
  const WallTime created = *parse_rfc3339("2026-01-02T03:04:05.678Z");
  const Uuid id = make_job_id(JobNumber{123456789}, created, 0xffffffff);
  EXPECT_EQ(number_in(id), JobNumber{123456789});
  const std::string text = to_string(id);
  EXPECT_EQ(text[14], '7');
  EXPECT_EQ(parse_uuid(text), id);
  EXPECT_LT(to_string(make_job_id(JobNumber{9}, created - Millis{1}, 7)), text);  // sorts by time
  EXPECT_FALSE(number_in(make_random_uuid()));
  for (const char* bad :
       {"", "0", "0190-", "019b7d6c_0000-7000-8000-000000000001", "019b7d6c-0000-7000-8000-00000000000g"}) {
    EXPECT_FALSE(parse_uuid(bad)) << bad;
  }
}

TEST(Secrets, HashesMatchKnownVectors) {
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");  // RFC 4231, case 2
  Sha256Stream stream;
  stream.update("a");
  stream.update("bc");
  EXPECT_EQ(stream.finish(), sha256("abc"));
  EXPECT_EQ(random_token().size(), 64U);
  EXPECT_NE(random_token(), random_token());
  EXPECT_TRUE(equal_constant_time("ab", "ab"));
  EXPECT_FALSE(equal_constant_time("ab", "ac"));
}

}  // namespace
}  // namespace drover
