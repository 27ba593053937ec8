#include "drover/app/config.hpp"

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace drover::app {
namespace {

constexpr const char* kUrl = "[worker]\nurl = \"http://10.0.0.5:8080\"\n";

std::string shipped_file() {
  std::ifstream in(std::string(DROVER_SOURCE_DIR) + "/config/drover.toml");
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Settings, TheShippedFileIsValidAndChangesNothing) {
  const auto shipped = parse_settings(shipped_file());
  ASSERT_TRUE(shipped.ok()) << shipped.error().message;
  const Settings defaults;
  EXPECT_EQ(shipped->server, defaults.server);
  EXPECT_EQ(shipped->store, defaults.store);
  EXPECT_EQ(shipped->artifacts, defaults.artifacts);
  EXPECT_EQ(shipped->log, defaults.log);
  EXPECT_EQ(shipped->worker.url, "http://127.0.0.1:8080");
  EXPECT_TRUE(shipped->pools.empty());
}

TEST(Settings, TheDefaultsInTheCommentsAreTheDefaults) {
  std::istringstream lines(shipped_file());
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    const bool commented = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    text += (commented ? line.substr(1) : line) + "\n";
  }
  const auto parsed = parse_settings(text);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  const Settings defaults;
  EXPECT_EQ(parsed->server, defaults.server);
  EXPECT_EQ(parsed->store, defaults.store);
  EXPECT_EQ(parsed->artifacts, defaults.artifacts);
  EXPECT_EQ(parsed->log, defaults.log);
  EXPECT_EQ(parsed->cloud.provider, defaults.cloud.provider);
  ASSERT_EQ(parsed->pools.size(), 1u);
  core::PoolSpec pool;  // what has no default is given as an example
  pool.name = "default";
  pool.image = "ami-0123456789abcdef0";
  pool.instance_types = {"c7i.large", "c6i.large"};
  EXPECT_EQ(parsed->pools[0], pool);
}

TEST(Settings, TheShippedFileNamesEverySetting) {
  std::istringstream lines(shipped_file());
  std::set<std::string> named;
  std::string section;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) line.erase(0, 1);
    if (line.starts_with("[[")) {
      section = line.substr(2, line.find(']') - 2);
    } else if (line.starts_with('[')) {
      section = line.substr(1, line.find(']') - 1);
    } else if (const auto equals = line.find(" = ");
               equals != std::string::npos && line.find(' ') == equals) {
      named.insert(section + "." + line.substr(0, equals));
    }
  }
  const auto all = setting_names();
  EXPECT_EQ(named, std::set<std::string>(all.begin(), all.end()));
}

struct Given {
  const char* setting;  // section.key
  const char* good;     // TOML value, not the default
  std::vector<const char*> bad;
};

const std::vector<Given>& table() {
  static const std::vector<Given> rows = {
      {"server.listen",
       "\"127.0.0.1:9090\"",
       {"8080", "\"8080\"", "\"localhost:80\"", "\"127.0.0.1:65536\"", "\"127.0.0.1:-1\"", "\"127.0.0.1:\"",
        "\"0.0.0.0:8080\"", "\"[::]:8080\"", "\"10.0.0.5:8080\"", "\"::1:8080\""}},
      {"server.names",
       "[\"drover.example.org\", \"head\"]",
       {"\"head\"", "[1]", "[\"\"]", "[\"head:8080\"]", "[\"http://head\"]", "[\"a b\"]", "[\"*\"]"}},
      {"server.transport", "\"cpprest\"", {"\"Beast\"", "\"\"", "1"}},
      {"server.threads", "8", {"0", "65", "\"2\"", "1.5", "true"}},
      {"server.max_header_bytes", "4096", {"1023", "1048577"}},
      {"server.max_connections", "10", {"0", "-1", "1000001"}},
      {"server.header_time_s", "1", {"0", "3601", "\"10s\""}},
      {"server.body_time_s", "1", {"0", "3601"}},
      {"server.idle_time_s", "1", {"0", "3601"}},
      {"server.write_time_s", "1", {"0", "3601"}},
      {"store.conninfo", "\"host=/tmp dbname=x\"", {"\"\"", "5", "\"a\\u0000b\""}},
      {"store.read_connections", "1", {"0", "101"}},
      {"store.takeover_s", "2", {"1", "301"}},
      {"store.allow_unsafe", "true", {"1", "\"true\""}},
      {"worker.url",
       "\"https://head.example\"",
       {"\"\"", "\"head:8080\"", "\"ftp://head\"", "\"http://\"", "\"http://a b\"", "\"http://a/?x=1\"",
        "1"}},
      {"artifacts.directory", "\"/srv/drover\"", {"\"\"", "\"relative\"", "1"}},
      {"cloud.provider", "\"none\"", {"\"gcp\"", "\"\"", "1"}},
      {"cloud.region", "\"eu-central-1\"", {"1"}},
      {"cloud.endpoint", "\"http://127.0.0.1:4566\"", {"\"127.0.0.1:4566\"", "1"}},
      {"cloud.access_key", "\"AK\"", {"\"\"", "1"}},
      {"cloud.secret_key", "\"SK\"", {"\"\"", "1"}},
      {"cloud.profile", "\"work\"", {"1"}},
      {"log.level", "\"debug\"", {"\"loud\"", "\"Info\"", "1"}},
      {"log.json", "true", {"\"yes\""}},
      {"pool.name", "\"gpu\"", {"\"\"", "\"a b\"", "1"}},
      {"pool.provider", "\"none\"", {"\"asg\"", "\"gcp\""}},
      {"pool.queues", "[\"a\", \"b\"]", {"\"a\"", "[\"\"]", "[1]"}},
      {"pool.min", "1", {"-1", "100001"}},
      {"pool.max", "5", {"-1", "100001"}},
      {"pool.slots", "4", {"0", "257"}},
      {"pool.instances_per_job", "2", {"0", "-1.5", "nan", "inf", "1001", "\"1\""}},
      {"pool.max_increase", "1", {"0", "1001"}},
      {"pool.idle_timeout_s", "60", {"-1", "2592001"}},
      {"pool.registration_timeout_s", "60", {"9", "86401"}},
      {"pool.market", "\"on_demand\"", {"\"reserved\"", "1"}},
      {"pool.image", "\"ami-1\"", {"1"}},
      {"pool.instance_types", "[\"c7i.large\"]", {"\"c7i.large\"", "[2]"}},
      {"pool.subnets", "[\"subnet-1\"]", {"1"}},
      {"pool.security_groups", "[\"sg-1\"]", {"1"}},
      {"pool.instance_profile", "\"worker\"", {"1"}},
      {"pool.key_name", "\"me\"", {"1"}},
      {"pool.max_price", "\"0.05\"", {"0.05"}},
      {"pool.disk_gib", "20", {"-1", "16385"}},
      {"pool.tags",
       "{ team = \"genomics\" }",
       {"\"team\"", "[]", "{ team = 1 }", "{ \"aws:team\" = \"x\" }"}},
  };
  return rows;
}

// A file in which `setting` has `value` on line 3, and all that must be there is.
std::string file_with(const std::string& setting, const std::string& value) {
  const std::string section = setting.substr(0, setting.find('.'));
  const std::string key = setting.substr(setting.find('.') + 1);
  std::map<std::string, std::string> rest;
  if (section == "pool") {
    rest = {{"name", "\"p\""}, {"image", "\"ami-0\""}, {"instance_types", "[\"t\"]"}, {"max", "9"}};
  } else if (key == "access_key") {
    rest = {{"secret_key", "\"s\""}};
  } else if (key == "secret_key") {
    rest = {{"access_key", "\"a\""}};
  }
  std::string text =
      (section == "pool" ? "\n[[pool]]\n" : "\n[" + section + "]\n") + key + " = " + value + "\n";
  for (const auto& [name, given] : rest) {
    if (name != key) text += name + " = " + given + "\n";
  }
  return section == "worker" ? text : text + kUrl;
}

TEST(Settings, TheTableOfThisTestIsComplete) {
  std::vector<std::string> named;
  for (const Given& row : table()) named.emplace_back(row.setting);
  EXPECT_EQ(named, setting_names());
}

TEST(Settings, EverySettingTakesAGoodValue) {
  for (const Given& row : table()) {
    const auto settings = parse_settings(file_with(row.setting, row.good));
    EXPECT_TRUE(settings.ok()) << row.setting << ": " << settings.error().message;
  }
}

TEST(Settings, EveryBadValueIsNamedWithItsLineAndWhatIsAllowed) {
  for (const Given& row : table()) {
    for (const char* bad : row.bad) {
      const auto settings = parse_settings(file_with(row.setting, bad), "my.toml");
      ASSERT_FALSE(settings.ok()) << row.setting << " = " << bad;
      EXPECT_EQ(settings.error().code, Errc::invalid);
      EXPECT_TRUE(settings.error().field.starts_with(row.setting)) << settings.error().message;
      // "must be …", "must have …": what is allowed, and not the value itself.
      const std::string begin = std::string("my.toml:3: ") + row.setting;
      EXPECT_TRUE(settings.error().message.starts_with(begin)) << settings.error().message;
      EXPECT_NE(settings.error().message.find(" must "), std::string::npos) << settings.error().message;
    }
  }
}

TEST(Settings, ValuesArriveWhereTheyBelong) {
  const auto settings = parse_settings(
      "[server]\nlisten = \"[::1]:0\"\nthreads = 3\n[worker]\nurl = \"http://h:1/\"\n"
      "[cloud]\nendpoint = \"http://127.0.0.1:1/\"\naccess_key = \"a\"\nsecret_key = \"b\"\n[log]\nlevel = "
      "\"error\"\n"
      "[[pool]]\nname = \"p\"\nprovider = \"none\"\n[[pool]]\nname = \"q\"\nimage = \"i\"\ninstance_types = "
      "[\"t\"]\n"
      "idle_timeout_s = 7\ninstances_per_job = 0.5\n");
  ASSERT_TRUE(settings.ok()) << settings.error().message;
  EXPECT_EQ(settings->server.address, "::1");
  EXPECT_EQ(settings->server.port, 0);
  EXPECT_EQ(settings->server.threads, 3);
  EXPECT_EQ(settings->worker.url, "http://h:1");
  EXPECT_EQ(settings->cloud.endpoint, "http://127.0.0.1:1");
  EXPECT_EQ(settings->cloud.access_key, "a");
  EXPECT_EQ(settings->cloud.secret_key.reveal(), "b");
  EXPECT_EQ(settings->log.level, LogLevel::error);
  ASSERT_EQ(settings->pools.size(), 2u);
  EXPECT_EQ(settings->pools[0].provider, core::Provider::none);
  EXPECT_EQ(settings->pools[1].idle_timeout, Seconds{7});
  EXPECT_EQ(settings->pools[1].instances_per_job, 0.5);
}

struct Broken {
  const char* text;
  const char* field;
  const char* begin;
  const char* hint;
};

TEST(Settings, UnknownAndContradictoryOnesAreRefused) {
  const std::vector<Broken> rows = {
      {"[server]\nlisten = \"127.0.0.1:1\"\nthredas = 2\n", "server.thredas",
       "f:3: unknown setting server.thredas", "threads"},
      {"[sever]\nthreads = 2\n", "sever", "f:1: unknown section sever", "[server]"},
      {"threads = 2\n", "threads", "f:1: unknown section threads", "[server]"},
      {"[server]\n\n\nthreads = = 2\n", "", "f:4: ", ""},
      {"[server]\nthreads = 1\nthreads = 2\n", "", "f:3: ", ""},
      {"", "worker.url", "f:", "http://"},
      {"[pool]\nname = \"x\"\n", "pool", "f:1: ", "[[pool]]"},
      {"[[pool]]\nprovider = \"none\"\n", "pool.name", "f:1: ", "required"},
      {"[[pool]]\nname = \"a\"\nprovider = \"none\"\nmin = 2\nmax = 1\n", "pool.min", "f:4: ", "above max"},
      {"[[pool]]\nname = \"a\"\nprovider = \"none\"\n[[pool]]\nname = \"a\"\nprovider = \"none\"\n",
       "pool.name", "f:4: ", "two pools"},
      {"[[pool]]\nname = \"a\"\nimage = \"ami-1\"\n", "pool.instance_types", "f:1: ", "instance_types"},
      {"[server]\nthredas = 2\n", "server.thredas", "f:2: ", "did you mean threads?"},
      {"[[pool]]\nname = \"a\"\nqueue = [\"b\"]\n", "pool.queue", "f:3: ", "did you mean queues?"},
      {"[worker]\nurl = \"http://a\"\n[server]\nlisten = \"[::1]:1\"\ntransport = \"cpprest\"\n",
       "server.transport", "f:5: ", "IPv4"},
      {"[worker]\nurl = \"http://a\"\n[cloud]\nprovider = \"none\"\n[[pool]]\nname = \"a\"\nprovider = "
       "\"none\"\n[[pool]]\nname = \"b\"\nimage = \"i\"\ninstance_types = [\"t\"]\n",
       "pool.provider", "f:8: ", "no cloud"},
      {"[worker]\nurl = \"http://a\"\n[cloud]\naccess_key = \"a\"\n", "cloud.access_key",
       "f:3: ", "go together"},
  };
  for (const Broken& row : rows) {
    const auto settings = parse_settings(row.text, "f");
    ASSERT_FALSE(settings.ok()) << row.text;
    EXPECT_EQ(settings.error().field, row.field) << row.text;
    EXPECT_TRUE(settings.error().message.starts_with(row.begin)) << settings.error().message;
    EXPECT_NE(settings.error().message.find(row.hint), std::string::npos) << settings.error().message;
  }
}

TEST(Settings, ASecretIsNotRepeatedInAMessage) {
  const auto settings = parse_settings("[store]\nconninfo = [\"password=hunter2\"]\n" + std::string(kUrl));
  ASSERT_FALSE(settings.ok());
  EXPECT_EQ(settings.error().message.find("hunter2"), std::string::npos);
}

TEST(Settings, APipeOrADirectoryIsNoFile) {
  const std::string pipe = ::testing::TempDir() + "drover-config-pipe";
  ::unlink(pipe.c_str());
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {pipe, ::testing::TempDir()}) {
    const auto settings = load_settings(path);  // of a pipe that nobody writes it would not come back
    ASSERT_FALSE(settings.ok()) << path;
    EXPECT_NE(settings.error().message.find(path), std::string::npos) << settings.error().message;
  }
  ::unlink(pipe.c_str());
}

TEST(Settings, AMissingFileIsNamed) {
  const auto settings = load_settings("/nonexistent/drover.toml");
  ASSERT_FALSE(settings.ok());
  EXPECT_EQ(settings.error().code, Errc::not_found);
  EXPECT_NE(settings.error().message.find("/nonexistent/drover.toml"), std::string::npos);
}

}  // namespace
}  // namespace drover::app
