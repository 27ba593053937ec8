#include <gtest/gtest.h>

#include "api/bodies.hpp"

namespace drover::api {
namespace {

constexpr const char* kEc2 = R"("name":"p","image":"ami-1","instance_types":["c5.large"])";

Result<core::PoolSpec> parsed_pool(const std::string& text, core::PoolSpec base = {},
                                   std::string_view name = {}) {
  const Result<Json> json = parse_json(text);
  EXPECT_TRUE(json.ok()) << text;
  return api::parse_pool(*json, std::move(base), name);
}

std::string pool_with(const std::string& members) {
  return std::string("{") + kEc2 + "," + members + "}";
}

TEST(PoolSpec, TakesEveryField) {
  const auto pool = parsed_pool(R"({"name":"p","provider":"ec2","queues":["a","b"],"min":1,"max":9,"slots":4,
      "instances_per_job":0.5,"max_increase":3,"idle_timeout_s":60,"registration_timeout_s":120,"market":"spot",
      "image":"ami-1","instance_types":["c5.large","c5.xlarge"],"subnets":["subnet-1"],"security_groups":["sg-1"],
      "instance_profile":"prof","key_name":"key","max_price":"0.05","disk_gib":40,
      "tags":{"team":"genomics","cost centre":""}})");
  ASSERT_TRUE(pool.ok()) << pool.error().message;
  core::PoolSpec wanted;
  wanted.name = "p";
  wanted.queues = {"a", "b"};
  wanted.min = 1;
  wanted.max = 9;
  wanted.slots = 4;
  wanted.instances_per_job = 0.5;
  wanted.max_increase = 3;
  wanted.idle_timeout = Seconds{60};
  wanted.registration_timeout = Seconds{120};
  wanted.image = "ami-1";
  wanted.instance_types = {"c5.large", "c5.xlarge"};
  wanted.subnets = {"subnet-1"};
  wanted.security_groups = {"sg-1"};
  wanted.instance_profile = "prof";
  wanted.key_name = "key";
  wanted.max_price = "0.05";
  wanted.disk_gib = 40;
  wanted.tags = {{"team", "genomics"}, {"cost centre", ""}};
  EXPECT_EQ(*pool, wanted);
}

TEST(PoolSpec, RefusesAndNames) {
  const std::pair<std::string, std::string> cases[] = {
      {"[]", ""},
      {R"({"provider":"none"})", "name"},
      {R"({"provider":"none","name":"a b"})", "name"},
      {pool_with(R"("provider":"gce")"), "provider"},
      {pool_with(R"("provider":"asg")"), "provider"},
      {pool_with(R"("provider":1)"), "provider"},
      {pool_with(R"("queues":"a")"), "queues"},
      {pool_with(R"("queues":[1])"), "queues[0]"},
      {pool_with(R"("queues":["ok","a b"])"), "queues[1]"},
      {pool_with(R"("min":-1)"), "min"},
      {pool_with(R"("min":2,"max":1)"), "min"},
      {pool_with(R"("max":"1")"), "max"},
      {pool_with(R"("slots":0)"), "slots"},
      {pool_with(R"("slots":257)"), "slots"},
      {pool_with(R"("instances_per_job":0)"), "instances_per_job"},
      {pool_with(R"("max_increase":0)"), "max_increase"},
      {pool_with(R"("idle_timeout_s":-1)"), "idle_timeout_s"},
      {pool_with(R"("registration_timeout_s":1)"), "registration_timeout_s"},
      {pool_with(R"("market":"free")"), "market"},
      {pool_with(R"("max_price":"cheap")"), "max_price"},
      {pool_with(R"("max_price":"1.2.3")"), "max_price"},
      {pool_with(R"("max_price":"0")"), "max_price"},
      {pool_with(R"("max_price":0.05)"), "max_price"},
      {pool_with(R"("subnets":[""])"), "subnets[0]"},
      {pool_with(R"("key_name":"a\nb")"), "key_name"},
      {pool_with(R"("disk_gib":-1)"), "disk_gib"},
      {pool_with(R"("tags":["team"])"), "tags"},
      {pool_with(R"("tags":{"team":1})"), "tags.team"},
      {pool_with(R"("tags":{"team":null})"), "tags.team"},
      {pool_with(R"("tags":{"":"x"})"), "tags."},
      {pool_with(R"("tags":{"aws:team":"x"})"), "tags.aws:team"},
      {pool_with(R"("tags":{"AWS:team":"x"})"), "tags.AWS:team"},
      {pool_with(R"("tags":{"drover:deployment":"x"})"), "tags.drover:deployment"},
      {pool_with(R"("tags":{"Drover:x":"x"})"), "tags.Drover:x"},
      {pool_with(R"("tags":{"a\nb":"x"})"), "tags.a\nb"},
      {pool_with(R"("tags":{"team":"a\nb"})"), "tags.team"},
      {pool_with(R"("colour":"red")"), "colour"},
      {pool_with(R"("version":"3")"), "version"},
      {pool_with(R"("blocked_reason":3)"), "blocked_reason"},
      {pool_with(R"("market":"on_demand","max_price":"0.05")"), "max_price"},
      {R"({"nmae":"p","provider":"none"})", "nmae"},
      {R"({"name":".","provider":"none"})", "name"},
      {R"({"name":"..","provider":"none"})", "name"},
      {pool_with(R"("queues":["ok",".."])"), "queues[1]"},
      {R"({"name":"p","instance_types":["c5.large"]})", "image"},
      {R"({"name":"p","image":"ami-1"})", "instance_types"}};
  for (const auto& [text, field] : cases) {
    const auto pool = parsed_pool(text);
    ASSERT_FALSE(pool.ok()) << text;
    EXPECT_EQ(pool.error().field, field) << text << ": " << pool.error().message;
    EXPECT_EQ(pool.error().code, Errc::invalid);
  }
}

TEST(PoolSpec, TagsHaveEc2sBounds) {
  const auto with_tag = [](const std::string& key, const std::string& value) {
    return parsed_pool(pool_with(R"("tags":{")" + key + R"(":")" + value + R"("})")).ok();
  };
  const auto times = [](int count, const std::string& text) {
    std::string out;
    for (int i = 0; i < count; ++i) out += text;
    return out;
  };
  EXPECT_TRUE(with_tag(times(128, "k"), times(256, "v")));
  EXPECT_FALSE(with_tag(times(129, "k"), ""));
  EXPECT_FALSE(with_tag("k", times(257, "v")));
  // Characters, not bytes.
  EXPECT_TRUE(with_tag(times(128, "\u00e4"), times(256, "\u20ac")));
  EXPECT_FALSE(with_tag(times(129, "\u00e4"), ""));
  EXPECT_TRUE(with_tag("kubernetes.io/cluster/x", "owned"));
  EXPECT_TRUE(with_tag("awsome", "x"));
  EXPECT_TRUE(with_tag("drover", "x"));
  const auto tags = [](int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += (i == 0 ? "\"t" : ",\"t") + std::to_string(i) + R"(":"v")";
    return parsed_pool(pool_with(R"("tags":{)" + out + "}"));
  };
  EXPECT_TRUE(tags(40).ok());
  ASSERT_FALSE(tags(41).ok());
  EXPECT_EQ(tags(41).error().field, "tags");
}

TEST(PoolSpec, APoolWithoutACloudNeedsNoImage) {
  EXPECT_TRUE(parsed_pool(R"({"name":"p","provider":"none"})").ok());
}

TEST(PoolSpec, PatchesOverWhatIsThere) {
  core::PoolSpec base = *parsed_pool(pool_with(R"("max":5,"slots":2)"));
  const auto patched = parsed_pool(R"({"max":7})", base, "p");
  ASSERT_TRUE(patched.ok()) << patched.error().message;
  base.max = 7;
  EXPECT_EQ(*patched, base);
}

TEST(PoolSpec, OfTwoMembersThatContradictOneThatIsGivenIsNamed) {
  core::PoolSpec base = *parsed_pool(pool_with(R"("min":3,"max":5)"));
  EXPECT_EQ(parsed_pool(R"({"max":2})", base, "p").error().field, "max");
  EXPECT_EQ(parsed_pool(R"({"min":6})", base, "p").error().field, "min");
  EXPECT_EQ(parsed_pool(R"({"min":6,"max":5})", base, "p").error().field, "min");
  base.max_price = "0.05";
  EXPECT_EQ(parsed_pool(R"({"market":"on_demand"})", base, "p").error().field, "market");
  EXPECT_TRUE(parsed_pool(R"({"market":"on_demand","max_price":""})", base, "p").ok());
}

// An older version stored what is refused now.
TEST(PoolSpec, APoolThatIsThereCanBeEdited) {
  core::PoolSpec base = *parsed_pool(pool_with(R"("max":5)"));
  base.name = "..";
  base.market = core::Market::on_demand;
  base.max_price = "0.05";
  EXPECT_TRUE(parsed_pool(R"({"max":0})", base, "..").ok());
}

TEST(PoolSpec, ThePathNamesThePool) {
  EXPECT_EQ(parsed_pool(R"({"provider":"none"})", {}, "p")->name, "p");
  EXPECT_TRUE(parsed_pool(R"({"name":"p","provider":"none"})", {}, "p").ok());
  EXPECT_EQ(parsed_pool(R"({"name":"q","provider":"none"})", {}, "p").error().field, "name");
}

TEST(PoolSpec, ServesItsOwnQueueUnlessItSaysWhich) {
  core::PoolSpec pool;
  pool.name = "p";
  EXPECT_EQ(queues_of(pool), std::vector<std::string>{"p"});
  pool.queues = {"a", "b"};
  EXPECT_EQ(queues_of(pool), (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace drover::api
