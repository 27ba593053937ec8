#include "drover/aws/sigv4.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/fakes.hpp"

namespace drover::aws {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kDescribe = "Action=DescribeInstances&Version=2016-11-15&InstanceId.1=i-1";
const Headers kEc2Headers{{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
                          {"Host", "ec2.us-east-1.amazonaws.com"}};

std::string header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

// Cases of AWS's published signature test suite: its fixed time, region, and a service named "service".
std::string suite_signature(std::string_view method, std::string_view path, std::string_view query,
                            Headers headers = {}, std::string_view body = {}) {
  headers.emplace_back("Host", "example.amazonaws.com");
  RequestParts parts;
  parts.method = method;
  parts.path = path;
  parts.query = query;
  parts.headers = headers;
  parts.body = body;
  const auto added =
      sign(parts, test::golden_credentials(), *parse_rfc3339("2015-08-30T12:36:00Z"), "us-east-1", "service");
  const auto authorization = header(added, "Authorization");
  return authorization.substr(authorization.find("Signature=") + 10);
}

TEST(SigV4, AgreesWithThePublishedSuite) {
  EXPECT_EQ(suite_signature("GET", "/", ""),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  EXPECT_EQ(suite_signature("POST", "/", ""),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
  EXPECT_EQ(suite_signature("GET", "/", "Param2=value2&Param1=value1"),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
  EXPECT_EQ(suite_signature("GET", "/\xe1\x88\xb4", ""),
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
  EXPECT_EQ(suite_signature("GET", "/", "", {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}}),
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
  EXPECT_EQ(suite_signature("GET", "/", "",
                            {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}}),
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea");
  EXPECT_EQ(suite_signature("POST", "/", "", {{"Content-Type", "application/x-www-form-urlencoded"}},
                            "Param1=value1"),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
}

TEST(SigV4, CanonicalRequestAndStringToSignAreTheGoldenOnes) {
  Headers headers = kEc2Headers;
  headers.emplace_back("X-Amz-Date", "20260102T030405Z");
  RequestParts parts;
  parts.headers = headers;
  parts.body =
      "Action=TerminateInstances&Version=2016-11-15&InstanceId.1=i-0123456789abcdef0&InstanceId.2=i-"
      "0123456789abcdef1";
  const auto canonical =
      canonical_request(parts, std::vector<std::string>{"content-type", "host", "x-amz-date"});
  EXPECT_EQ(canonical,
            "POST\n/\n\ncontent-type:application/x-www-form-urlencoded; charset=utf-8\n"
            "host:ec2.us-east-1.amazonaws.com\nx-amz-date:20260102T030405Z\n\ncontent-type;host;x-amz-date\n"
            "041e8793f2abe9a8f525160a873ab399027d47788128009c968fd9048cd58f3e");
  EXPECT_EQ(string_to_sign("20260102T030405Z", {"20260102", "us-east-1", "ec2"}, canonical),
            "AWS4-HMAC-SHA256\n20260102T030405Z\n20260102/us-east-1/ec2/aws4_request\n"
            "64e372df38cf22e5b14ae038071c5cee7cc291a395a7b4e495b837f6f2c02b78");
}

TEST(SigV4, SignsTheSessionToken) {
  RequestParts parts;
  parts.headers = kEc2Headers;
  parts.body = kDescribe;
  const auto added =
      sign(parts, test::golden_credentials("EXAMPLETOKEN"), test::golden_time(), "us-east-1", "ec2");
  EXPECT_EQ(header(added, "X-Amz-Date"), "20260102T030405Z");
  EXPECT_EQ(header(added, "X-Amz-Security-Token"), "EXAMPLETOKEN");
  EXPECT_EQ(header(added, "Authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/ec2/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
            "Signature=e0ec47ab4cff7727600ce303df17df9b04c1f7bd934afefb470ba8e4cdf6a474");
}

TEST(SigV4, AnotherPortIsAnotherSignature) {
  RequestParts parts;
  const Headers plain{{"Host", "127.0.0.1"}};
  const Headers ported{{"Host", "127.0.0.1:4566"}};
  parts.headers = plain;
  const auto one = sign(parts, test::golden_credentials(), test::golden_time(), "r", "ec2");
  parts.headers = ported;
  const auto other = sign(parts, test::golden_credentials(), test::golden_time(), "r", "ec2");
  EXPECT_NE(header(one, "Authorization"), header(other, "Authorization"));
}

TEST(SigV4, PathsAreEncodedOnceMore) {
  RequestParts parts;
  parts.method = "GET";
  parts.path = "/a%20b/c";
  EXPECT_THAT(canonical_request(parts, {}), HasSubstr("\n/a%2520b/c\n"));
}

TEST(SigV4, QueriesAreSortedAndEncodedOneWay) {
  RequestParts parts;
  parts.query = "b=2&a=%7e&a=1&flag&a-b=x";
  EXPECT_THAT(canonical_request(parts, {}), HasSubstr("\na=1&a=~&a-b=x&b=2&flag=\n"));
}

TEST(SigV4, DatesRoundTripAndOtherFormsAreRefused) {
  EXPECT_EQ(amz_date(test::golden_time() + Millis(999)), "20260102T030405Z");
  EXPECT_EQ(parse_amz_date("20260102T030405Z"), test::golden_time());
  for (const char* bad : {"", "2026-01-02T03:04:05Z", "20260102T030405", "20261302T030405Z",
                          "20260102t030405Z", "2026010 T030405Z", "20260102T0304056"}) {
    EXPECT_FALSE(parse_amz_date(bad)) << bad;
  }
}

// The way of a server: parse the claim, compute the same, compare.
std::string recomputed(const Headers& received, std::string_view body) {
  RequestParts parts;
  parts.headers = received;
  parts.body = body;
  const auto claim = parse_authorization(header(received, "Authorization"));
  if (!claim) return "no claim";
  return expected_signature(parts, *claim, header(received, "X-Amz-Date"),
                            test::golden_credentials().secret_key);
}

TEST(SigV4, AServerFindsTheSameSignatureAndSeesEveryChange) {
  RequestParts parts;
  parts.headers = kEc2Headers;
  parts.body = kDescribe;
  Headers received = kEc2Headers;
  const auto added = sign(parts, test::golden_credentials("TOKEN"), test::golden_time(), "us-east-1", "ec2");
  received.insert(received.end(), added.begin(), added.end());
  received.emplace_back("Accept", "*/*");  // unsigned: added by the client's library
  const auto claim = parse_authorization(header(received, "Authorization"));
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->access_key, "AKIDEXAMPLE");
  EXPECT_EQ(claim->scope, (CredentialScope{"20260102", "us-east-1", "ec2"}));
  EXPECT_EQ(recomputed(received, kDescribe), claim->signature);

  EXPECT_NE(recomputed(received, "Action=TerminateInstances"), claim->signature);
  for (const char* changed : {"Host", "Content-Type", "X-Amz-Date", "X-Amz-Security-Token"}) {
    Headers tampered = received;
    for (auto& [key, value] : tampered) {
      if (key == changed) value += "0";
    }
    EXPECT_NE(recomputed(tampered, kDescribe), claim->signature) << changed;
  }
}

TEST(SigV4, MalformedClaimsAreRefused) {
  const std::string hex(64, 'a');
  const std::string credential = "Credential=K/20260102/r/ec2/aws4_request";
  const auto claim = [&](const std::string& c, const std::string& names, const std::string& s) {
    return parse_authorization("AWS4-HMAC-SHA256 " + c + ", SignedHeaders=" + names + ", Signature=" + s);
  };
  EXPECT_TRUE(claim(credential, "host;x-amz-date", hex));
  EXPECT_TRUE(parse_authorization("AWS4-HMAC-SHA256 " + credential + ",SignedHeaders=host,Signature=" + hex));
  EXPECT_FALSE(claim("Credential=K/20260102/r/ec2", "host", hex));
  EXPECT_FALSE(claim("Credential=K//r/ec2/aws4_request", "host", hex));
  EXPECT_FALSE(claim(credential, "", hex));
  EXPECT_FALSE(claim(credential, "Host", hex));
  EXPECT_FALSE(claim(credential, "x-amz-date;host", hex));
  EXPECT_FALSE(claim(credential, "host;host", hex));
  EXPECT_FALSE(claim(credential, "host", hex.substr(1)));
  EXPECT_FALSE(claim(credential, "host", std::string(64, 'A')));
  EXPECT_FALSE(claim(credential, "host", hex + ", Signature=" + hex));
  EXPECT_FALSE(claim(credential, "host", hex + ", Other=1"));
  EXPECT_FALSE(parse_authorization("Bearer abc"));
  EXPECT_FALSE(parse_authorization("AWS4-HMAC-SHA256"));
  EXPECT_FALSE(parse_authorization(""));
}

}  // namespace
}  // namespace drover::aws
