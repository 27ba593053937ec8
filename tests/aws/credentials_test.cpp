#include "drover/aws/credentials.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/fakes.hpp"

namespace drover::aws {
namespace {

using std::chrono::minutes;
using test::environment;
using test::FakeClock;
using test::FakeHttp;
using test::reply;
using testing::HasSubstr;

class TempDir {
 public:
  TempDir() {
    std::string pattern = "/tmp/drover-credentials-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::string write(const std::string& name, const std::string& text) const {
    const auto path = path_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path;
  }
  [[nodiscard]] std::string path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string key_of(const Result<std::optional<Credentials>>& result) {
  if (!result.ok()) return "error: " + result.error().message;
  return *result ? (*result)->access_key : "none";
}

TEST(EnvironmentSource, NeedsBothKeys) {
  const auto source = make_environment_source(
      environment({{"AWS_ACCESS_KEY_ID", "A"}, {"AWS_SECRET_ACCESS_KEY", "S"}, {"AWS_SESSION_TOKEN", "T"}}));
  const auto found = source->fetch();
  ASSERT_EQ(key_of(found), "A");
  EXPECT_EQ((*found)->secret_key.reveal(), "S");
  EXPECT_EQ((*found)->session_token.reveal(), "T");
  EXPECT_FALSE((*found)->expiration);
  EXPECT_EQ(key_of(make_environment_source(environment({}))->fetch()), "none");
  EXPECT_EQ(key_of(make_environment_source(environment({{"AWS_ACCESS_KEY_ID", ""}}))->fetch()), "none");
  EXPECT_THAT(key_of(make_environment_source(environment({{"AWS_ACCESS_KEY_ID", "A"}}))->fetch()),
              HasSubstr("error"));
  EXPECT_THAT(key_of(make_environment_source(environment({{"AWS_SECRET_ACCESS_KEY", "A"}}))->fetch()),
              HasSubstr("error"));
}

TEST(ProfileSource, FindsTheProfileInEitherFile) {
  const TempDir dir;
  const auto credentials =
      dir.write("c",
                "# comment\n[default]\naws_access_key_id = D\naws_secret_access_key = DS\n"
                "[ops]\r\n  aws_access_key_id=O\r\n  AWS_SECRET_ACCESS_KEY = O=S#x \r\n"
                "  aws_session_token=OT\r\n[half]\naws_access_key_id = H\n");
  const auto config =
      dir.write("f",
                "[default]\nregion = eu-west-1\n[profile conf]\naws_access_key_id = C\n"
                "s3 =\n  aws_access_key_id = nested\naws_secret_access_key = CS\nregion = r2\n"
                "[plain]\naws_access_key_id = P\naws_secret_access_key = PS\n"
                "[profile \"two words\"]\naws_access_key_id = W\naws_secret_access_key = WS\n"
                "[profile role]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = default\n"
                "[profile sso]\nsso_session = s\n[sso-session s]\naws_access_key_id = no\n");
  const auto with = [&](std::map<std::string, std::string> more, const std::string& profile = {}) {
    more["AWS_SHARED_CREDENTIALS_FILE"] = credentials;
    more["AWS_CONFIG_FILE"] = config;
    return make_profile_source(environment(more), profile)->fetch();
  };
  EXPECT_EQ(key_of(with({})), "D");
  const auto ops = with({{"AWS_PROFILE", "ops"}});
  ASSERT_EQ(key_of(ops), "O");
  EXPECT_EQ((*ops)->secret_key.reveal(), "O=S#x");
  EXPECT_EQ((*ops)->session_token.reveal(), "OT");
  EXPECT_EQ(key_of(with({{"AWS_PROFILE", "ops"}}, "default")), "D");
  const auto conf = with({}, "conf");
  ASSERT_EQ(key_of(conf), "C");
  EXPECT_EQ((*conf)->secret_key.reveal(), "CS");
  EXPECT_EQ(key_of(with({}, "two words")), "W");
  EXPECT_THAT(key_of(with({}, "plain")), HasSubstr("error"));  // the configuration file says "profile plain"
  EXPECT_THAT(key_of(with({}, "absent")), HasSubstr("'absent' is in neither"));
  EXPECT_THAT(key_of(with({}, "role")), HasSubstr("role_arn"));
  EXPECT_THAT(key_of(with({}, "sso")), HasSubstr("sso_session"));
  EXPECT_THAT(key_of(with({}, "half")), HasSubstr("error"));
}

TEST(ProfileSource, LooksInTheHomeDirectoryAndIsContentWithout) {
  const TempDir dir;
  dir.write(".aws/credentials", "[default]\naws_access_key_id=A\naws_secret_access_key=S\n");
  EXPECT_EQ(key_of(make_profile_source(environment({{"HOME", dir.path()}}))->fetch()), "A");
  EXPECT_EQ(key_of(make_profile_source(environment({}))->fetch()), "none");
  EXPECT_EQ(key_of(make_profile_source(environment({{"HOME", dir.path() + "/none"}}))->fetch()), "none");
}

TEST(ProfileSource, TheRegionHasThreePlaces) {
  const TempDir dir;
  const auto config = dir.write("f", "[default]\nregion = eu-west-1\n[profile x]\nregion = x-1\n");
  EXPECT_EQ(default_region(environment({{"AWS_CONFIG_FILE", config}})), "eu-west-1");
  EXPECT_EQ(default_region(environment({{"AWS_CONFIG_FILE", config}, {"AWS_PROFILE", "x"}})), "x-1");
  EXPECT_EQ(default_region(environment({{"AWS_CONFIG_FILE", config}, {"AWS_DEFAULT_REGION", "d"}})), "d");
  EXPECT_EQ(default_region(environment({{"AWS_REGION", "r"}, {"AWS_DEFAULT_REGION", "d"}})), "r");
  EXPECT_EQ(default_region(environment({})), "");
}

std::string imds_document(const std::string& key, WallTime expiration) {
  return R"({"Code":"Success","Type":"AWS-HMAC","AccessKeyId":")" + key +
         R"(","SecretAccessKey":"S","Token":"T","Expiration":")" + to_rfc3339(expiration) + R"("})";
}

TEST(ImdsSource, AsksForATokenThenTheRoleThenItsKeys) {
  FakeHttp http;
  http.then(reply(200, "TOKEN\n"));
  http.then(reply(200, "worker-role\n"));
  http.then(reply(200, imds_document("A", test::golden_time())));
  const auto source = make_imds_source(environment({}), http);
  const auto found = source->fetch();
  ASSERT_EQ(key_of(found), "A");
  EXPECT_EQ((*found)->session_token.reveal(), "T");
  EXPECT_EQ((*found)->expiration, test::golden_time());
  ASSERT_EQ(http.requests.size(), 3U);
  EXPECT_EQ(http.requests[0].method, "PUT");
  EXPECT_EQ(http.requests[0].url, "http://169.254.169.254/latest/api/token");
  EXPECT_EQ(test::header_of(http.requests[0], "X-aws-ec2-metadata-token-ttl-seconds"), "21600");
  EXPECT_EQ(http.requests[1].url, "http://169.254.169.254/latest/meta-data/iam/security-credentials/");
  EXPECT_EQ(test::header_of(http.requests[1], "X-aws-ec2-metadata-token"), "TOKEN");
  EXPECT_EQ(http.requests[2].url,
            "http://169.254.169.254/latest/meta-data/iam/security-credentials/worker-role");
}

TEST(ImdsSource, CanBeElsewhereOrOff) {
  FakeHttp http;
  http.then(reply(404, ""));
  EXPECT_EQ(key_of(make_imds_source(
                       environment({{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9/"}}), http)
                       ->fetch()),
            "none");
  EXPECT_EQ(http.requests.at(0).url, "http://127.0.0.1:9/latest/api/token");
  http.requests.clear();
  EXPECT_EQ(key_of(make_imds_source(environment({{"AWS_EC2_METADATA_DISABLED", "TRUE"}}), http)->fetch()),
            "none");
  EXPECT_TRUE(http.requests.empty());
}

TEST(ImdsSource, NoRoleIsNoneAndTroubleIsAnError) {
  const auto outcome = [](std::vector<FakeHttp::Answer> answers) {
    FakeHttp http;
    for (int round = 0; round < 2; ++round) {  // it tries twice
      for (const auto& answer : answers) http.then(answer);
    }
    return key_of(make_imds_source(environment({}), http)->fetch());
  };
  EXPECT_EQ(outcome({reply(200, "T"), reply(404, "")}), "none");
  EXPECT_EQ(outcome({reply(403, "")}), "none");
  EXPECT_EQ(outcome({reply(405, "")}), "none");
  EXPECT_THAT(outcome({reply(500, "")}), HasSubstr("error"));
  EXPECT_THAT(outcome({Error{Errc::timeout, "slow"}}), HasSubstr("slow"));
  EXPECT_THAT(outcome({reply(200, "T"), reply(200, "../../etc")}), HasSubstr("no usable role"));
  EXPECT_THAT(outcome({reply(200, "T"), reply(200, "")}), HasSubstr("no usable role"));
  EXPECT_THAT(
      outcome({reply(200, "T"), reply(200, "r"), reply(200, R"({"Code":"AssumeRoleUnauthorizedAccess"})")}),
      HasSubstr("AssumeRoleUnauthorizedAccess"));
  EXPECT_THAT(
      outcome({reply(200, "T"), reply(200, "r"), reply(200, R"({"Code":"Success","AccessKeyId":"A"})")}),
      HasSubstr("incomplete"));
  EXPECT_THAT(outcome({reply(200, "T"), reply(200, "r"), reply(200, "<html>")}), HasSubstr("no JSON"));
}

TEST(ImdsSource, TriesOnceMore) {
  FakeHttp http;
  http.then(Error{Errc::timeout, "slow"});
  http.then(reply(200, "T"));
  http.then(reply(200, "r"));
  http.then(reply(200, imds_document("A", test::golden_time())));
  EXPECT_EQ(key_of(make_imds_source(environment({}), http)->fetch()), "A");
}

// A source whose answers the test sets, and counts.
struct Script {
  Result<std::optional<Credentials>> answer{std::optional<Credentials>{}};
  int asked = 0;
};

class ScriptedSource final : public CredentialSource {
 public:
  explicit ScriptedSource(Script& script) : script_(script) {}
  Result<std::optional<Credentials>> fetch() override {
    ++script_.asked;
    return script_.answer;
  }

 private:
  Script& script_;
};

class Chain : public ::testing::Test {
 protected:
  void give(const std::string& key, std::optional<WallTime> expiration) {
    second_.answer = std::optional(Credentials{key, Secret("S"), Secret(), expiration});
  }
  void fail() { second_.answer = Error{Errc::unavailable, "down"}; }
  std::string key() {
    const auto got = chain_.get();
    return got.ok() ? got->access_key : "error: " + got.error().message;
  }
  static std::vector<std::unique_ptr<CredentialSource>> sources(Script& first, Script& second) {
    std::vector<std::unique_ptr<CredentialSource>> out;
    out.push_back(std::make_unique<ScriptedSource>(first));
    out.push_back(std::make_unique<ScriptedSource>(second));
    return out;
  }

  FakeClock clock_;
  Script first_;
  Script second_;
  CredentialsChain chain_{sources(first_, second_), clock_, [] { return 0.5; }};
};

TEST_F(Chain, TheFirstSourceThatHasSomeIsUsed) {
  give("second", std::nullopt);
  EXPECT_EQ(key(), "second");
  EXPECT_EQ(first_.asked, 1);
  clock_.advance(std::chrono::hours(1000));
  EXPECT_EQ(key(), "second");
  EXPECT_EQ(second_.asked, 1);  // what does not expire is not asked for again
}

TEST_F(Chain, AnErrorStopsTheSearch) {
  give("second", std::nullopt);
  first_.answer = Error{Errc::unavailable, "half a key"};
  EXPECT_EQ(key(), "error: half a key");
  EXPECT_EQ(second_.asked, 0);
}

TEST_F(Chain, NothingAnywhereIsAnErrorAndIsAskedAgain) {
  EXPECT_THAT(key(), HasSubstr("no AWS credentials"));
  give("late", std::nullopt);
  EXPECT_EQ(key(), "late");
}

TEST_F(Chain, RefreshesAQuarterOfAnHourBeforeExpiry) {
  give("one", clock_.wall() + minutes(60));
  EXPECT_EQ(key(), "one");
  give("two", clock_.wall() + minutes(120));
  clock_.advance(minutes(45) - Seconds(1));
  EXPECT_EQ(key(), "one");
  clock_.advance(Seconds(1));
  EXPECT_EQ(key(), "two");
  EXPECT_EQ(second_.asked, 2);
}

TEST_F(Chain, ARefreshIsForced) {
  give("one", std::nullopt);
  EXPECT_EQ(key(), "one");
  give("two", std::nullopt);
  EXPECT_EQ(chain_.refresh()->access_key, "two");
  EXPECT_EQ(key(), "two");
}

TEST_F(Chain, OldKeysStayWhenTheSourceFailsAndItIsAskedSeldom) {
  give("one", clock_.wall() + minutes(20));
  EXPECT_EQ(key(), "one");
  fail();
  clock_.advance(minutes(6));
  EXPECT_EQ(key(), "one");
  EXPECT_EQ(key(), "one");
  EXPECT_EQ(second_.asked, 2);  // once more, then a minute of peace
  clock_.advance(minutes(1));
  EXPECT_EQ(key(), "one");
  EXPECT_EQ(second_.asked, 3);
  clock_.advance(minutes(30));  // expired by now
  EXPECT_EQ(key(), "one");
  EXPECT_EQ(second_.asked, 4);
  clock_.advance(minutes(15) + Seconds(360) - Seconds(1));  // 15 min and half of the jitter's 2 to 10
  EXPECT_EQ(key(), "one");
  EXPECT_EQ(second_.asked, 4);
  give("two", clock_.wall() + minutes(60));
  clock_.advance(Seconds(1));
  EXPECT_EQ(key(), "two");
  EXPECT_EQ(second_.asked, 5);
}

TEST_F(Chain, KeysThatArriveExpiredAreUsedAndNotAskedForAtOnce) {
  give("stale", clock_.wall() - minutes(1));
  EXPECT_EQ(key(), "stale");
  EXPECT_EQ(key(), "stale");
  EXPECT_EQ(second_.asked, 1);
}

TEST(DefaultCredentials, AGivenProfileGoesBeforeTheEnvironment) {
  const TempDir dir;
  const auto file = dir.write("c", "[p]\naws_access_key_id=P\naws_secret_access_key=S\n");
  const auto all = environment(
      {{"AWS_ACCESS_KEY_ID", "E"}, {"AWS_SECRET_ACCESS_KEY", "S"}, {"AWS_SHARED_CREDENTIALS_FILE", file}});
  FakeHttp http;
  FakeClock clock;
  EXPECT_EQ(make_default_credentials(all, http, clock)->get()->access_key, "E");
  EXPECT_EQ(make_default_credentials(all, http, clock, "p")->get()->access_key, "P");
  EXPECT_TRUE(http.requests.empty());
}

}  // namespace
}  // namespace drover::aws
