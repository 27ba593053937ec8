// The configuration file: a refusal names its place, and what is accepted is within the ranges that
// config/drover.toml gives.
#include <algorithm>

#include "drover/app/config.hpp"
#include "drover/base/text.hpp"

#include "fuzz/property.hpp"

using drover::fuzz::hold;

namespace {

constexpr std::string_view kName = "drover.toml";

// "drover.toml:<line>: …", of a line that is there.
void check_error(std::string_view text, const drover::Error& error) {
  hold(error.code == drover::Errc::invalid, "an error of another kind");
  const std::string_view message = error.message;
  const std::size_t colon = message.find(": ");
  hold(colon != std::string_view::npos && message.starts_with(kName) && message.size() > colon + 2,
       "an error without its place:", message);
  const auto line = drover::parse_int(message.substr(kName.size() + 1, colon - kName.size() - 1));
  hold(line && *line >= 1 && *line <= std::count(text.begin(), text.end(), '\n') + 1,
       "an error at a line that is not there:", message);
}

void within(std::int64_t value, std::int64_t min, std::int64_t max, std::string_view name) {
  hold(value >= min && value <= max, "a setting out of range:", name);
}

void check_text(const std::string& text, std::string_view name) {
  hold(drover::storable_text(text) && text.size() <= 4096, "a setting that is no proper text:", name);
}

void check_pool(const drover::core::PoolSpec& pool) {
  within(pool.min, 0, pool.max, "pool.min");
  within(pool.max, 0, 100'000, "pool.max");
  within(pool.slots, 1, drover::limits::kSlotsPerWorker, "pool.slots");
  within(pool.max_increase, 1, 1000, "pool.max_increase");
  hold(pool.instances_per_job >= 0.001 && pool.instances_per_job <= 1000, "pool.instances_per_job");
  within(pool.idle_timeout.count(), 0, 30 * 86'400, "pool.idle_timeout_s");
  within(pool.registration_timeout.count(), 10, 86'400, "pool.registration_timeout_s");
  within(pool.disk_gib, 0, 16'384, "pool.disk_gib");
  hold(!pool.name.empty(), "a pool without a name");
  if (pool.provider == drover::core::Provider::ec2) {
    hold(!pool.image.empty() && !pool.instance_types.empty(), "a pool that can launch nothing");
  }
  for (const std::string* text :
       {&pool.name, &pool.image, &pool.instance_profile, &pool.key_name, &pool.max_price}) {
    check_text(*text, "pool");
  }
  for (const auto* list : {&pool.queues, &pool.instance_types, &pool.subnets, &pool.security_groups}) {
    for (const std::string& text : *list) check_text(text, "pool");
  }
}

void check_settings(const drover::app::Settings& settings) {
  const auto& server = settings.server;
  hold(server.address == "::1" || server.address.starts_with("127.") ||
           server.address.find(':') != std::string::npos,
       "an address that is not loopback:", server.address);
  within(server.threads, 1, 64, "server.threads");
  within(server.max_header_bytes, 1024, 1 << 20, "server.max_header_bytes");
  within(server.max_connections, 1, 1'000'000, "server.max_connections");
  for (const int seconds :
       {server.header_time_s, server.body_time_s, server.idle_time_s, server.write_time_s})
    within(seconds, 1, 3600, "a time of the server");
  within(settings.store.read_connections, 1, 100, "store.read_connections");
  within(settings.store.takeover_s, 2, 300, "store.takeover_s");
  hold(!settings.store.conninfo.empty(), "store.conninfo is empty");
  hold(settings.artifacts.directory.starts_with('/'), "a directory that is relative");
  hold(settings.worker.url.starts_with("http://") || settings.worker.url.starts_with("https://"),
       "no worker.url");
  hold(!settings.worker.url.ends_with('/'), "worker.url ends with a slash");
  const auto& cloud = settings.cloud;
  hold(cloud.provider == "ec2" || cloud.provider == "none", "a provider that is none");
  hold(cloud.access_key.empty() == cloud.secret_key.empty(), "half a pair of keys");
  for (const std::string* text :
       {&server.address, &settings.store.conninfo, &settings.worker.url, &settings.artifacts.directory,
        &cloud.region, &cloud.endpoint, &cloud.access_key, &cloud.secret_key.reveal(), &cloud.profile}) {
    check_text(*text, "a setting");
  }
  for (const auto& pool : settings.pools) check_pool(pool);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = drover::fuzz::text_of(data, size);
  const auto settings = drover::app::parse_settings(text, std::string(kName));
  if (settings.ok()) {
    check_settings(*settings);
  } else {
    check_error(text, settings.error());
  }
  return 0;
}
