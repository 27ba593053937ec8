#include "drover/api/pool_spec.hpp"

#include <array>

#include <fmt/format.h>

#include "drover/api/job_spec.hpp"
#include "drover/base/limits.hpp"
#include "drover/base/text.hpp"

#include "fields.hpp"

namespace drover::api {
namespace {

constexpr int kInstancesMax = 100'000;
constexpr int kDiskGibMax = 16'384;  // the largest gp3 volume
constexpr std::size_t kListMax = 64;
constexpr std::int64_t kDayS = 24 * 3600;
constexpr std::size_t kTagsMax = 40;  // EC2 takes 50 for a resource, and some are Drover's
constexpr std::size_t kTagKeyMax = 128;
constexpr std::size_t kTagValueMax = 256;

void read_queues(Fields& fields, std::vector<std::string>& out) {
  if (!fields.texts("queues", out, kListMax, 128)) return;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!valid_short_name(out[i])) {
      return fields.fail(fmt::format("queues[{}]", i), kShortNameRule);
    }
  }
}

void read_seconds(Fields& fields, std::string_view key, Seconds& out, std::int64_t min, std::int64_t max) {
  std::int64_t count = out.count();
  fields.integer(key, count, min, max);
  out = Seconds(count);
}

void read_provider(Fields& fields, core::Provider& out) {
  // Auto Scaling groups have a name in the domain and no code behind it yet: better refused than silently
  // idle.
  constexpr std::array<std::string_view, 2> kProviders{"ec2", "none"};
  std::string text;
  if (fields.word("provider", text, kProviders)) out = core::parse_provider(text).value_or(out);
}

void read_market(Fields& fields, core::Market& out) {
  std::string text;
  if (fields.word("market", text, core::market_names())) out = core::parse_market(text).value_or(out);
}

void read_max_price(Fields& fields, std::string& out) {
  if (!fields.text("max_price", out, 0, 16) || out.empty()) return;
  const bool digits = out.find_first_not_of("0123456789.") == std::string::npos;
  if (!digits || out.find('.') != out.rfind('.') || out.find_first_of("123456789") == std::string::npos) {
    fields.fail("max_price", "must be dollars an hour such as \"0.045\", or empty for the on-demand price");
  }
}

bool is_tag_text(std::string_view text, std::size_t least, std::size_t most) {
  const std::size_t count = characters(text);
  return count >= least && count <= most && plain_text(text);
}

void read_tags(Fields& fields, std::vector<std::pair<std::string, std::string>>& out) {
  const Json* value = fields.any("tags");
  if (value == nullptr) return;
  const Json::Object* object = value->if_object();
  if (object == nullptr) return fields.wrong_type("tags", "object", *value);
  if (object->size() > kTagsMax) {
    return fields.fail("tags", fmt::format("must have at most {} members", kTagsMax));
  }
  out.clear();
  for (const Json::Member& member : *object) {
    const std::string key = "tags." + member.key;
    if (!is_tag_text(member.key, 1, kTagKeyMax)) {
      return fields.fail(
          key,
          fmt::format("must have a key of 1 to {} characters, none of them a control character", kTagKeyMax));
    }
    for (const std::string_view taken : {"aws:", "drover:"}) {
      if (lower(member.key).starts_with(taken)) {
        return fields.fail(key, fmt::format("must not begin with \"{}\", which is not yours to give", taken));
      }
    }
    const std::string* text = member.value.if_string();
    if (text == nullptr) return fields.wrong_type(key, "string", member.value);
    if (!is_tag_text(*text, 0, kTagValueMax)) {
      return fields.fail(key, fmt::format("must have at most {} characters, none of them a control character",
                                          kTagValueMax));
    }
    out.emplace_back(member.key, *text);
  }
}

// What GET shows beside the pool itself, so that its answer can be sent back by PUT.
void pass_over_answer(Fields& fields) {
  std::int64_t version = 0;
  fields.integer("version", version, 0, INT64_MAX);
  const Json* reason = fields.any_but_null("blocked_reason");
  if (reason != nullptr && reason->if_string() == nullptr)
    fields.wrong_type("blocked_reason", "string", *reason);
}

// Of two members that contradict each other the complaint names one that the request has.
void check_whole(Fields& fields, const Json& json, const core::PoolSpec& pool) {
  const auto given = [&](std::string_view key) { return json.find(key) != nullptr; };
  if (pool.min > pool.max && (given("min") || !given("max"))) {
    fields.fail("min", fmt::format("must not be above max ({})", pool.max));
  } else if (pool.min > pool.max) {
    fields.fail("max", fmt::format("must not be below min ({})", pool.min));
  }
  // Only when one of the two is written: older versions stored both, and edits of the rest must go on.
  const bool priced = pool.market == core::Market::on_demand && !pool.max_price.empty();
  if (priced && given("max_price")) {
    fields.fail("max_price", "is for market spot; machines on demand have a fixed price");
  } else if (priced && given("market")) {
    fields.fail("market",
                fmt::format("cannot be on_demand with max_price ({}); empty that too", pool.max_price));
  }
  if (pool.provider != core::Provider::ec2) return;
  if (pool.image.empty()) fields.fail("image", "is required of an ec2 pool");
  if (pool.instance_types.empty()) fields.fail("instance_types", "must name at least one type");
}

}  // namespace

Result<core::PoolSpec> parse_pool_spec(const Json& json, core::PoolSpec base, std::string_view name) {
  const std::string base_name = base.name;
  core::PoolSpec pool = std::move(base);
  Fields fields(json, "");
  const bool named = fields.short_name("name", pool.name);
  if (name.empty()) fields.require("name");
  if (!name.empty() && named && pool.name != name) {
    fields.fail("name", fmt::format("must be {}, the pool of the path; a pool cannot be renamed", name));
  }
  // A pool that is there may be edited, whatever older versions took for a name.
  const bool present = base_name == name;
  if (!name.empty() && !present && !valid_short_name(name)) fields.fail("name", kShortNameRule);
  if (!name.empty()) pool.name = name;
  read_provider(fields, pool.provider);
  read_queues(fields, pool.queues);
  fields.integer("min", pool.min, 0, kInstancesMax);
  fields.integer("max", pool.max, 0, kInstancesMax);
  fields.integer("slots", pool.slots, 1, limits::kSlotsPerWorker);
  fields.number("instances_per_job", pool.instances_per_job, 0.001, 1000);
  fields.integer("max_increase", pool.max_increase, 1, 1000);
  read_seconds(fields, "idle_timeout_s", pool.idle_timeout, 0, 30 * kDayS);
  read_seconds(fields, "registration_timeout_s", pool.registration_timeout, 10, kDayS);
  read_market(fields, pool.market);
  fields.text("image", pool.image, 0, limits::kNameCharacters);
  fields.texts("instance_types", pool.instance_types, kListMax, 64);
  fields.texts("subnets", pool.subnets, kListMax, 64);
  fields.texts("security_groups", pool.security_groups, kListMax, 64);
  fields.text("instance_profile", pool.instance_profile, 0, 128);
  fields.text("key_name", pool.key_name, 0, 255);
  read_max_price(fields, pool.max_price);
  fields.integer("disk_gib", pool.disk_gib, 0, kDiskGibMax);
  read_tags(fields, pool.tags);
  pass_over_answer(fields);
  check_whole(fields, json, pool);
  if (Status done = fields.finish(); !done.ok()) return done.error();
  return pool;
}

}  // namespace drover::api
