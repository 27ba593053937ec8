#include "drover/core/fleet/breakers.hpp"

#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "drover/core/fleet/vcpu_limits.hpp"

namespace drover::core {
namespace {

constexpr SteadyTime kStart{Seconds{1000}};

TEST(Health, MutesDoubleUpToTheirTopAndClearOnSuccess) {
  CloudHealth health;
  const Offering offering{"p", "m5.large", "s", Market::spot};
  SteadyTime now = kStart;
  for (const int expected : {15, 30, 60, 120, 240, 300, 300}) {
    health.refused({RefusalScope::capacity, false}, offering, now, {});
    const Mute* mute = health.muted(offering, now);
    ASSERT_NE(mute, nullptr);
    EXPECT_EQ(mute->until - now, Seconds{expected});
    now = mute->until;
    EXPECT_EQ(health.muted(offering, now), nullptr);
  }
  health.worked(offering, "zone-a");
  health.refused({RefusalScope::capacity, false}, offering, now, {});
  EXPECT_EQ(health.muted(offering, now)->until - now, Seconds{15});
  health.refused({RefusalScope::offering, true}, offering, now, {});
  health.worked(offering, "zone-a");
  EXPECT_EQ(health.muted(offering, now), nullptr);
  health.refused({RefusalScope::offering, true}, offering, now, {});
  EXPECT_EQ(health.muted(offering, now)->until - now, Seconds{60}) << "a person is slower than a cloud";
}

TEST(Health, AScopeCoversWhatItNames) {
  const Offering here{"p", "m5.large", "s1", Market::spot};
  struct Row {
    const char* what;
    Offering offering;
    std::set<RefusalScope> covered;
  };
  using enum RefusalScope;
  const std::vector<Row> rows{
      {"itself", here, {capacity, subnet, quota, offering, market, everything}},
      {"another pool", {"q", "m5.large", "s1", Market::spot}, {capacity, subnet, quota, market, everything}},
      {"another type of the group",
       {"p", "c5.large", "s1", Market::spot},
       {subnet, quota, market, everything}},
      {"another group", {"p", "g5.xlarge", "s1", Market::spot}, {subnet, market, everything}},
      {"another subnet", {"p", "m5.large", "s2", Market::spot}, {quota, market, everything}},
      {"no subnet", {"p", "m5.large", "", Market::spot}, {quota, market, everything}},
      {"another market", {"p", "m5.large", "s1", Market::on_demand}, {subnet, everything}},
      {"all other", {"q", "g5.xlarge", "s2", Market::on_demand}, {everything}}};
  for (const RefusalScope scope : {capacity, subnet, quota, offering, market, everything}) {
    CloudHealth health;
    health.refused({scope, false}, here, kStart, {});
    for (const Row& row : rows) {
      EXPECT_EQ(health.muted(row.offering, kStart) != nullptr, row.covered.contains(scope))
          << row.what << ", scope " << static_cast<int>(scope);
    }
  }
}

TEST(Health, SubnetsOfOneZoneShareItsCapacityOnceTheZoneIsKnown) {
  CloudHealth health;
  const Offering one{"p", "m5.large", "s1", Market::spot};
  const Offering two{"q", "m5.large", "s2", Market::spot};
  const Offering elsewhere{"q", "m5.large", "s3", Market::spot};
  health.refused({RefusalScope::capacity, false}, one, kStart, {});
  EXPECT_EQ(health.muted(two, kStart), nullptr) << "nothing is known of their zones";
  health.worked(one, "zone-a");
  health.worked(two, "zone-a");
  health.worked(elsewhere, "zone-b");
  health.refused({RefusalScope::capacity, false}, one, kStart, {});
  EXPECT_NE(health.muted(two, kStart), nullptr);
  EXPECT_EQ(health.muted(elsewhere, kStart), nullptr);
  health.worked(two, "zone-a");
  EXPECT_EQ(health.muted(one, kStart), nullptr);
}

TEST(Health, AnEditedPoolForgetsWhatWasWrongWithItsTemplate) {
  CloudHealth health;
  const Offering mine{"p", "m5.large", "", Market::spot};
  const Offering others{"q", "m5.large", "", Market::spot};
  health.refused({RefusalScope::offering, true}, mine, kStart, {});
  health.refused({RefusalScope::offering, true}, others, kStart, {});
  health.forget_pool("p");
  EXPECT_EQ(health.muted(mine, kStart), nullptr);
  EXPECT_NE(health.muted(others, kStart), nullptr);
}

TEST(Health, FamiliesShareVcpuLimitsAsEc2CountsThem) {
  const auto spot = [](const char* type) { return vcpu_limit_group(Market::spot, type); };
  const auto on_demand = [](const char* type) { return vcpu_limit_group(Market::on_demand, type); };
  for (const char* type :
       {"a1.large", "c7i-flex.large", "d3.xlarge", "h1.2xlarge", "i4i.large", "im4gn.large", "is4gen.medium",
        "m7g.metal", "r8g.large", "t4g.nano", "z1d.large"}) {
    EXPECT_EQ(spot(type), "standard") << type;
    EXPECT_EQ(on_demand(type), "standard") << type;
  }
  for (const char* type : {"g4dn.xlarge", "g6e.xlarge", "gr6.4xlarge", "vt1.3xlarge"}) {
    EXPECT_EQ(spot(type), "g and vt") << type;
  }
  EXPECT_EQ(spot("inf2.xlarge"), "inf");
  EXPECT_EQ(spot("trn1.2xlarge"), "trn");
  EXPECT_EQ(spot("dl1.24xlarge"), "dl");
  EXPECT_EQ(spot("f2.6xlarge"), "f");
  EXPECT_EQ(spot("x2iedn.xlarge"), "x");
  EXPECT_EQ(on_demand("hpc7a.12xlarge"), "hpc");
  EXPECT_EQ(on_demand("u-6tb1.metal"), "high memory");
  EXPECT_EQ(on_demand("u7i-12tb.224xlarge"), "high memory");
  EXPECT_EQ(on_demand("p3.2xlarge"), on_demand("p5.48xlarge"));
  EXPECT_EQ(spot("p3.2xlarge"), spot("p4d.24xlarge"));
  EXPECT_NE(spot("p3.2xlarge"), spot("p5en.48xlarge"));
  EXPECT_EQ(spot("local.small"), "local");
  EXPECT_NE(spot("mac2.metal"), spot("m5.large"));
  EXPECT_EQ(spot(""), "");
}

}  // namespace
}  // namespace drover::core
