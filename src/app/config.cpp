#include "drover/app/config.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <functional>
#include <optional>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include "drover/base/text.hpp"

#include "address.hpp"

namespace drover::app {
namespace {

// Why a value is refused ("an integer from 1 to 64"); nothing: it was taken.
using Refusal = std::optional<std::string>;

template <class Target>
struct Key {
  std::string_view name;
  std::function<Refusal(const toml::node&, Target&)> take;
};

Refusal take_integer(const toml::node& node, std::int64_t min, std::int64_t max, auto& into) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value || *value < min || *value > max) return fmt::format("an integer from {} to {}", min, max);
  into = static_cast<std::remove_reference_t<decltype(into)>>(*value);
  return {};
}

template <class Target, class Read>
Key<Target> integer(std::string_view name, std::int64_t min, std::int64_t max, Read read) {
  return {name, [=](const toml::node& node, Target& to) { return take_integer(node, min, max, read(to)); }};
}

template <class Target, class Read>
Key<Target> seconds(std::string_view name, std::int64_t min, std::int64_t max, Read read) {
  return {name, [=](const toml::node& node, Target& to) {
            std::int64_t count = 0;
            Refusal refusal = take_integer(node, min, max, count);
            if (!refusal) read(to) = Seconds{count};
            return refusal;
          }};
}

template <class Target, class Read>
Key<Target> boolean(std::string_view name, Read read) {
  return {name, [=](const toml::node& node, Target& to) -> Refusal {
            const auto value = node.value_exact<bool>();
            if (!value) return "true or false";
            read(to) = *value;
            return {};
          }};
}

constexpr std::size_t kStringBytes = 4096;

std::optional<std::string> string_in(const toml::node& node) {
  auto value = node.value_exact<std::string>();
  if (!value || value->size() > kStringBytes || !storable_text(*value)) return std::nullopt;
  return value;
}

// `check` says what would be allowed instead, or nothing.
template <class Target, class Store>
Key<Target> text(std::string_view name, Store store, std::function<Refusal(const std::string&)> check = {}) {
  return {name, [=](const toml::node& node, Target& to) -> Refusal {
            auto value = string_in(node);
            if (!value) return "a string of at most 4096 bytes without NUL";
            if (check) {
              if (Refusal refusal = check(*value)) return refusal;
            }
            store(to, std::move(*value));
            return {};
          }};
}

template <class Target, class Read>
Key<Target> strings(std::string_view name, Read read) {
  return {name, [=](const toml::node& node, Target& to) -> Refusal {
            static const std::string allowed = "an array of at most 100 non-empty strings";
            const toml::array* array = node.as_array();
            if (array == nullptr || array->size() > 100) return allowed;
            std::vector<std::string> values;
            for (const toml::node& element : *array) {
              auto value = string_in(element);
              if (!value || value->empty()) return allowed;
              values.push_back(std::move(*value));
            }
            read(to) = std::move(values);
            return {};
          }};
}

template <class Target, class Parse, class Read>
Key<Target> word(std::string_view name, std::string_view allowed, Parse parse, Read read) {
  return {name, [=](const toml::node& node, Target& to) -> Refusal {
            const auto value = string_in(node);
            const auto parsed = value ? parse(*value) : decltype(parse(std::string_view{})){};
            if (!parsed) return fmt::format("one of {}", allowed);
            read(to) = *parsed;
            return {};
          }};
}

#define DROVER_FIELD(expression) \
  [](auto& s) -> auto& {         \
    return s.expression;         \
  }
#define DROVER_STORE(expression) [](auto& s, std::string value) { s.expression = std::move(value); }

Refusal check_non_empty(const std::string& value) {
  if (value.empty()) return "not empty";
  return {};
}

Refusal check_name(const std::string& value) {
  if (value.empty() || value.size() > limits::kNameBytes)
    return fmt::format("1 to {} bytes", limits::kNameBytes);
  return {};
}

Refusal check_url(const std::string& value) {
  const bool web = value.starts_with("http://") || value.starts_with("https://");
  const std::size_t host = value.find("//") + 2;
  const bool clean =
      std::none_of(value.begin(), value.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; });
  if (!web || host >= value.size() || value[host] == '/' || !clean ||
      value.find_first_of("?#") != std::string::npos) {
    return "a URL such as \"http://10.0.0.5:8080\", without query";
  }
  return {};
}

std::string without_trailing_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

std::optional<LogLevel> parse_level(std::string_view text) {
  if (text == "debug") return LogLevel::debug;
  if (text == "info") return LogLevel::info;
  if (text == "warn") return LogLevel::warn;
  if (text == "error") return LogLevel::error;
  return std::nullopt;
}

Refusal take_listen(const toml::node& node, Settings& to) {
  const auto value = string_in(node);
  const auto address = value ? parse_listen(*value) : std::nullopt;
  if (!address)
    return "\"ADDRESS:PORT\" with a numeric address, such as \"127.0.0.1:8080\" or \"[::1]:8080\"";
  if (!address->loopback) {
    return "a loopback address (127.0.0.1 or [::1]): requests of users are not authenticated yet, so put a "
           "proxy that "
           "does it in front";
  }
  to.server.address = address->host;
  to.server.port = address->port;
  return {};
}

struct Section {
  std::string_view name;
  std::vector<Key<Settings>> keys;
};

const std::vector<Section>& sections() {
  using S = Settings;
  static const std::vector<Section> table = {
      {"server",
       {{"listen", take_listen},
        integer<S>("threads", 1, 64, DROVER_FIELD(server.threads)),
        integer<S>("max_header_bytes", 1024, 1 << 20, DROVER_FIELD(server.max_header_bytes)),
        integer<S>("max_connections", 1, 1'000'000, DROVER_FIELD(server.max_connections)),
        integer<S>("header_time_s", 1, 3600, DROVER_FIELD(server.header_time_s)),
        integer<S>("body_time_s", 1, 3600, DROVER_FIELD(server.body_time_s)),
        integer<S>("idle_time_s", 1, 3600, DROVER_FIELD(server.idle_time_s)),
        integer<S>("write_time_s", 1, 3600, DROVER_FIELD(server.write_time_s))}},
      {"store",
       {text<S>("conninfo", DROVER_STORE(store.conninfo), check_non_empty),
        integer<S>("read_connections", 1, 100, DROVER_FIELD(store.read_connections)),
        integer<S>("takeover_s", 2, 300, DROVER_FIELD(store.takeover_s)),
        boolean<S>("allow_unsafe", DROVER_FIELD(store.allow_unsafe))}},
      {"worker",
       {text<S>(
           "url", [](S& s, std::string value) { s.worker.url = without_trailing_slash(std::move(value)); },
           check_url)}},
      {"artifacts",
       {text<S>("directory", DROVER_STORE(artifacts.directory),
                [](const std::string& value) -> Refusal {
                  if (!value.starts_with('/')) return "an absolute path";
                  return {};
                })}},
      {"cloud",
       {text<S>("provider", DROVER_STORE(cloud.provider),
                [](const std::string& value) -> Refusal {
                  if (value != "ec2" && value != "none") return "one of \"ec2\", \"none\"";
                  return {};
                }),
        text<S>("region", DROVER_STORE(cloud.region)),
        text<S>(
            "endpoint",
            [](S& s, std::string value) { s.cloud.endpoint = without_trailing_slash(std::move(value)); },
            check_url),
        text<S>("access_key", DROVER_STORE(cloud.access_key), check_non_empty),
        text<S>(
            "secret_key", [](S& s, std::string value) { s.cloud.secret_key = Secret(std::move(value)); },
            check_non_empty),
        text<S>("profile", DROVER_STORE(cloud.profile))}},
      {"log",
       {word<S>("level", "\"debug\", \"info\", \"warn\", \"error\"", parse_level, DROVER_FIELD(log.level)),
        boolean<S>("json", DROVER_FIELD(log.json))}},
  };
  return table;
}

const std::vector<Key<core::PoolSpec>>& pool_keys() {
  using P = core::PoolSpec;
  static const std::vector<Key<P>> table = {
      text<P>("name", DROVER_STORE(name), check_name),
      word<P>(
          "provider", "\"ec2\", \"none\"",
          [](std::string_view value) {
            const auto provider = core::parse_provider(value);
            return provider == core::Provider::asg ? std::nullopt : provider;
          },
          DROVER_FIELD(provider)),
      strings<P>("queues", DROVER_FIELD(queues)),
      integer<P>("min", 0, 10'000, DROVER_FIELD(min)),
      integer<P>("max", 0, 10'000, DROVER_FIELD(max)),
      integer<P>("slots", 1, limits::kSlotsPerWorker, DROVER_FIELD(slots)),
      {"instances_per_job",
       [](const toml::node& node, P& to) -> Refusal {
         const auto value = node.value<double>();
         if (!node.is_number() || !value || !std::isfinite(*value) || *value <= 0 || *value > 1000) {
           return "a number above 0, at most 1000";
         }
         to.instances_per_job = *value;
         return {};
       }},
      integer<P>("max_increase", 1, 1000, DROVER_FIELD(max_increase)),
      seconds<P>("idle_timeout_s", 1, 30 * 86'400, DROVER_FIELD(idle_timeout)),
      seconds<P>("registration_timeout_s", 10, 86'400, DROVER_FIELD(registration_timeout)),
      word<P>("market", "\"spot\", \"on_demand\"", core::parse_market, DROVER_FIELD(market)),
      text<P>("image", DROVER_STORE(image)),
      strings<P>("instance_types", DROVER_FIELD(instance_types)),
      strings<P>("subnets", DROVER_FIELD(subnets)),
      strings<P>("security_groups", DROVER_FIELD(security_groups)),
      text<P>("instance_profile", DROVER_STORE(instance_profile)),
      text<P>("key_name", DROVER_STORE(key_name)),
      text<P>("max_price", DROVER_STORE(max_price)),
      integer<P>("disk_gib", 0, 16'384, DROVER_FIELD(disk_gib)),
  };
  return table;
}

#undef DROVER_FIELD
#undef DROVER_STORE

class Reader {
 public:
  explicit Reader(const std::string& name) : name_(name) {}

  Result<Settings> read(const toml::table& root) {
    Settings settings;
    for (const auto& [key, node] : root) {
      if (key.str() == "pool") {
        read_pools(node, settings);
      } else {
        read_section(key, node, settings);
      }
      if (error_) return *error_;
    }
    check_whole(root, settings);
    if (error_) return *error_;
    return settings;
  }

 private:
  void refuse(const toml::source_region& where, std::string field, const std::string& message) {
    if (!error_)
      error_ = invalid(std::move(field), fmt::format("{}:{}: {}", name_, where.begin.line, message));
  }

  template <class Target>
  void read_keys(std::string_view section, const toml::table& table, const std::vector<Key<Target>>& keys,
                 Target& target) {
    for (const auto& [key, node] : table) {
      const std::string field = fmt::format("{}.{}", section, key.str());
      const auto known =
          std::find_if(keys.begin(), keys.end(), [&](const auto& one) { return one.name == key.str(); });
      if (known == keys.end()) {
        std::vector<std::string_view> names;
        for (const auto& one : keys) names.push_back(one.name);
        return refuse(key.source(), field,
                      fmt::format("unknown setting {}; [{}] has {}", field, section, fmt::join(names, ", ")));
      }
      // The value itself is not repeated: it may be a password.
      if (const Refusal refusal = known->take(node, target)) {
        return refuse(node.source(), field, fmt::format("{} must be {}", field, *refusal));
      }
    }
  }

  void read_section(const toml::key& key, const toml::node& node, Settings& settings) {
    const auto known = std::find_if(sections().begin(), sections().end(),
                                    [&](const Section& section) { return section.name == key.str(); });
    if (known == sections().end() || !node.is_table()) {
      std::vector<std::string> names;
      for (const Section& section : sections()) names.push_back(fmt::format("[{}]", section.name));
      return refuse(
          key.source(), std::string(key.str()),
          fmt::format("unknown section {}; there are {} and [[pool]]", key.str(), fmt::join(names, ", ")));
    }
    read_keys(known->name, *node.as_table(), known->keys, settings);
  }

  void read_pools(const toml::node& node, Settings& settings) {
    const toml::array* pools = node.as_array();
    if (pools == nullptr || !pools->is_array_of_tables()) {
      return refuse(node.source(), "pool", "pools are written as tables under [[pool]]");
    }
    std::set<std::string> names;
    for (const toml::node& element : *pools) {
      core::PoolSpec pool;
      read_keys("pool", *element.as_table(), pool_keys(), pool);
      if (pool.name.empty()) refuse(element.source(), "pool.name", "pool.name is missing");
      if (pool.min > pool.max) refuse(element.source(), "pool.min", "pool.min must not be above pool.max");
      if (!names.insert(pool.name).second) {
        refuse(element.source(), "pool.name", fmt::format("there are two pools named {}", pool.name));
      }
      if (pool.provider == core::Provider::ec2 && (pool.image.empty() || pool.instance_types.empty())) {
        refuse(element.source(), pool.image.empty() ? "pool.image" : "pool.instance_types",
               fmt::format("pool {} launches instances, so it needs image and instance_types", pool.name));
      }
      settings.pools.push_back(std::move(pool));
    }
  }

  void check_whole(const toml::table& root, const Settings& settings) {
    if (settings.worker.url.empty()) {
      refuse(root.source(), "worker.url",
             "worker.url is missing: the address under which workers reach this daemon, such as "
             "\"http://10.0.0.5:8080\"");
    }
    if (settings.cloud.access_key.empty() != settings.cloud.secret_key.empty()) {
      refuse(root["cloud"].node()->source(), "cloud.access_key",
             "cloud.access_key and cloud.secret_key go together; leave both out to use the usual chain of "
             "credentials");
    }
  }

  const std::string& name_;
  std::optional<Error> error_;
};

}  // namespace

Result<Settings> parse_settings(std::string_view text, const std::string& name) {
  try {
    const toml::table root = toml::parse(text, name);
    return Reader(name).read(root);
  } catch (const toml::parse_error& error) {
    return invalid("", fmt::format("{}:{}: {}", name, error.source().begin.line, error.description()));
  }
}

Result<Settings> load_settings(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  if (in) text << in.rdbuf();
  if (!in || in.bad()) {
    const int cause = errno;
    return Error{cause == EACCES ? Errc::forbidden : Errc::not_found,
                 fmt::format("cannot read the configuration file {}: {}", path, std::strerror(cause))};
  }
  return parse_settings(text.str(), path);
}

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  for (const Section& section : sections()) {
    for (const auto& key : section.keys) names.push_back(fmt::format("{}.{}", section.name, key.name));
  }
  for (const auto& key : pool_keys()) names.push_back(fmt::format("pool.{}", key.name));
  return names;
}

}  // namespace drover::app
