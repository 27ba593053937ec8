#include "drover/api/pool_spec.hpp"

#include <fmt/format.h>

#include "drover/api/job_spec.hpp"
#include "drover/base/limits.hpp"

#include "fields.hpp"

namespace drover::api {
namespace {

constexpr std::string_view kNameRule = "must be 1 to 128 letters, digits, dots, underscores or hyphens";
constexpr int kInstancesMax = 100'000;
constexpr int kDiskGibMax = 16'384;  // the largest gp3 volume
constexpr std::size_t kListMax = 64;
constexpr std::int64_t kDayS = 24 * 3600;

void read_queues(Fields& fields, std::vector<std::string>& out) {
  if (!fields.texts("queues", out, kListMax, 128)) return;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!valid_short_name(out[i])) {
      return fields.fail(fmt::format("queues[{}]", i), kNameRule);
    }
  }
}

void read_seconds(Fields& fields, std::string_view key, Seconds& out, std::int64_t min, std::int64_t max) {
  std::int64_t count = out.count();
  fields.integer(key, count, min, max);
  out = Seconds(count);
}

void read_provider(Fields& fields, core::Provider& out) {
  std::string text;
  if (!fields.text("provider", text, 1, 16)) return;
  const std::optional<core::Provider> provider = core::parse_provider(text);
  // Auto Scaling groups have a name in the domain and no code behind it yet: better refused than silently
  // idle.
  if (!provider || *provider == core::Provider::asg)
    return fields.fail("provider", "must be \"ec2\" or \"none\"");
  out = *provider;
}

void read_market(Fields& fields, core::Market& out) {
  std::string text;
  if (!fields.text("market", text, 1, 16)) return;
  const std::optional<core::Market> market = core::parse_market(text);
  if (!market) {
    return fields.fail("market", fmt::format("must be \"{}\" or \"{}\"", to_string(core::Market::spot),
                                             to_string(core::Market::on_demand)));
  }
  out = *market;
}

void read_max_price(Fields& fields, std::string& out) {
  if (!fields.text("max_price", out, 0, 16) || out.empty()) return;
  const bool digits = out.find_first_not_of("0123456789.") == std::string::npos;
  if (!digits || out.find('.') != out.rfind('.') || out.find_first_of("123456789") == std::string::npos) {
    fields.fail("max_price", "must be dollars an hour such as \"0.045\", or empty for the on-demand price");
  }
}

void check_whole(Fields& fields, const core::PoolSpec& pool) {
  if (pool.min > pool.max) fields.fail("min", fmt::format("must not be above max ({})", pool.max));
  if (pool.provider != core::Provider::ec2) return;
  if (pool.image.empty()) fields.fail("image", "is required of an ec2 pool");
  if (pool.instance_types.empty()) fields.fail("instance_types", "must name at least one type");
}

}  // namespace

Result<core::PoolSpec> parse_pool_spec(const Json& json, core::PoolSpec base, std::string_view name) {
  core::PoolSpec pool = std::move(base);
  Fields fields(json, "");
  const bool named = fields.short_name("name", pool.name);
  if (name.empty()) fields.require("name");
  if (!name.empty() && named && pool.name != name) {
    fields.fail("name", fmt::format("must be {}, the pool of the path; a pool cannot be renamed", name));
  }
  if (!name.empty() && !valid_short_name(name)) fields.fail("name", kNameRule);
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
  fields.text("image", pool.image, 0, limits::kNameBytes);
  fields.texts("instance_types", pool.instance_types, kListMax, 64);
  fields.texts("subnets", pool.subnets, kListMax, 64);
  fields.texts("security_groups", pool.security_groups, kListMax, 64);
  fields.text("instance_profile", pool.instance_profile, 0, 128);
  fields.text("key_name", pool.key_name, 0, 255);
  read_max_price(fields, pool.max_price);
  fields.integer("disk_gib", pool.disk_gib, 0, kDiskGibMax);
  check_whole(fields, pool);
  if (Status done = fields.finish(); !done.ok()) return done.error();
  return pool;
}

std::vector<std::string> queues_of(const core::PoolSpec& pool) {
  return pool.queues.empty() ? std::vector<std::string>{pool.name} : pool.queues;
}

}  // namespace drover::api
