#include "drover/core/tunables.hpp"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace drover::core {
namespace {

TEST(Tunables, DefaultsLieWithinTheirBounds) {
  Tunables tunables;
  for (const auto& [key, text] : tunable_values(tunables)) {
    const Status set = set_tunable(tunables, key, text);
    EXPECT_TRUE(set.ok()) << key << " = " << text;
  }
  EXPECT_EQ(tunables, Tunables{});
}

TEST(Tunables, EveryKeySetsItsOwnMemberAlone) {
  for (const TunableInfo& info : tunable_table()) {
    Tunables tunables;
    const std::string text = info.type == "integer" ? std::to_string(static_cast<long>(info.max)) : "0.75";
    ASSERT_TRUE(set_tunable(tunables, info.key, text).ok()) << info.key;
    const auto before = tunable_values(Tunables{});
    const auto after = tunable_values(tunables);
    ASSERT_EQ(before.size(), tunable_table().size());
    for (std::size_t i = 0; i < after.size(); ++i) {
      EXPECT_EQ(after[i].first, tunable_table()[i].key);
      EXPECT_EQ(after[i].second, after[i].first == info.key ? text : before[i].second) << info.key;
    }
  }
}

TEST(Tunables, KeysAreUniqueAndExplained) {
  std::set<std::string_view> keys;
  for (const TunableInfo& info : tunable_table()) {
    EXPECT_TRUE(keys.insert(info.key).second) << info.key;
    EXPECT_FALSE(info.help.empty()) << info.key;
    EXPECT_LT(info.min, info.max) << info.key;
  }
}

TEST(Tunables, RefusesWhatDoesNotFitAndNamesTheKey) {
  const Tunables defaults;
  for (const auto& [key, text] : {std::pair("lease_s", "4"),
                                  {"lease_s", "3601"},
                                  {"lease_s", "60.5"},
                                  {"lease_s", "\"60\""},
                                  {"lease_s", "null"},
                                  {"lease_s", ""},
                                  {"lease_s", "60 60"},
                                  {"lease_s", "1e400"},
                                  {"freeze_share", "1.01"},
                                  {"freeze_share", "-0.1"},
                                  {"freeze_share", "true"},
                                  {"no_such", "1"}}) {
    Tunables tunables;
    const Status set = set_tunable(tunables, key, text);
    ASSERT_FALSE(set.ok()) << key << " = " << text;
    EXPECT_EQ(set.error().code, Errc::invalid);
    EXPECT_EQ(set.error().field, key);
    EXPECT_NE(set.error().message.find(key), std::string::npos);
    EXPECT_EQ(tunables, defaults);
  }
  Tunables tunables;
  EXPECT_EQ(set_tunable(tunables, "lease_s", "4").error().message,
            "lease_s must be an integer from 5 to 3600 (s)");
}

TEST(Tunables, AShareMayBeWritten0Or1) {
  Tunables tunables;
  ASSERT_TRUE(set_tunable(tunables, "freeze_share", "1").ok());
  EXPECT_EQ(tunables.freeze_share, 1.0);
}

TEST(Tunables, AWholeNumberIsAnIntegerHoweverItIsWritten) {
  Tunables tunables;
  EXPECT_TRUE(set_tunable(tunables, "lease_s", "90.0").ok());
  EXPECT_EQ(tunables.lease_s, 90);
  EXPECT_TRUE(set_tunable(tunables, "lease_s", "1e2").ok());
  EXPECT_EQ(tunables.lease_s, 100);
}

using Values = std::map<std::string, std::string>;

// A lease shorter than three heartbeats ends the work of healthy workers. The field is one that was given.
TEST(Tunables, AreCheckedAsAWhole) {
  const auto field = [](const Values& values, Tunables present = {}) -> std::string {
    const auto changed = changed_tunables(present, values);
    return changed.ok() ? "" : changed.error().field;
  };
  EXPECT_EQ(field({{"lease_s", "14"}}), "lease_s");
  EXPECT_EQ(field({{"lease_s", "15"}}), "");
  EXPECT_EQ(field({{"heartbeat_interval_s", "21"}}), "heartbeat_interval_s");
  EXPECT_EQ(field({{"heartbeat_interval_s", "20"}}), "");
  EXPECT_EQ(field({{"heartbeat_interval_s", "30"}, {"lease_s", "5"}}), "lease_s");
  EXPECT_EQ(field({{"heartbeat_interval_s", "60"}, {"lease_s", "60"}}), "lease_s");
  EXPECT_EQ(field({{"heartbeat_interval_s", "60"}, {"lease_s", "180"}}), "");
  EXPECT_EQ(field({{"heartbeat_interval_s", "1"}, {"lease_s", "5"}}), "");
  EXPECT_EQ(field({{"no_such", "1"}}), "no_such");
  const auto changed = changed_tunables({}, {{"lease_s", "90"}});
  ASSERT_TRUE(changed.ok());
  EXPECT_EQ(changed->lease_s, 90);
}

TEST(Tunables, APairOfAnOlderVersionIsMadeToFit) {
  Tunables tunables;
  EXPECT_FALSE(settle_tunables(tunables));
  tunables.heartbeat_interval_s = 30;
  tunables.lease_s = 5;
  const auto said = settle_tunables(tunables);
  ASSERT_TRUE(said);
  EXPECT_NE(said->find("lease_s (5)"), std::string::npos) << *said;
  EXPECT_EQ(tunables.lease_s, 90);
  EXPECT_EQ(tunables.heartbeat_interval_s, 30);
  EXPECT_FALSE(settle_tunables(tunables));
}

}  // namespace
}  // namespace drover::core
