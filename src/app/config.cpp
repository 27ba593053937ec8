#include "drover/app/config.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include "drover/base/address.hpp"
#include "drover/base/json.hpp"
#include "drover/base/text.hpp"
#include "drover/http/hosts.hpp"
#include "drover/schema/pool.hpp"

namespace drover::app {
namespace {

// Why a value is refused ("an integer from 1 to 64"); nothing: it was taken.
using Refusal = std::optional<std::string>;

struct Key {
  std::string_view name;
  std::function<Refusal(const toml::node&, Settings&)> take;
};

Refusal take_integer(const toml::node& node, std::int64_t min, std::int64_t max, auto& into) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value || *value < min || *value > max) return fmt::format("an integer from {} to {}", min, max);
  into = static_cast<std::remove_reference_t<decltype(into)>>(*value);
  return {};
}

template <class Read>
Key integer(std::string_view name, std::int64_t min, std::int64_t max, Read read) {
  return {name, [=](const toml::node& node, Settings& to) { return take_integer(node, min, max, read(to)); }};
}

template <class Read>
Key boolean(std::string_view name, Read read) {
  return {name, [=](const toml::node& node, Settings& to) -> Refusal {
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
template <class Store>
Key text(std::string_view name, Store store, const std::function<Refusal(const std::string&)>& check = {}) {
  return {name, [=](const toml::node& node, Settings& to) -> Refusal {
            const auto value = string_in(node);
            if (!value) return "a string of at most 4096 bytes without NUL";
            if (check) {
              if (Refusal refusal = check(*value)) return refusal;
            }
            store(to, *value);
            return {};
          }};
}

template <class Parse, class Read>
Key word(std::string_view name, std::string_view allowed, Parse parse, Read read) {
  return {name, [=](const toml::node& node, Settings& to) -> Refusal {
            const auto value = string_in(node);
            const auto parsed = value ? parse(*value) : decltype(parse(std::string_view{})){};
            if (!parsed) return fmt::format("one of {}", allowed);
            read(to) = *parsed;
            return {};
          }};
}

#define DROVER_FIELD(member) ([](auto& s) -> auto& { return s.member; })
#define DROVER_STORE(member) ([](auto& s, const std::string& value) { s.member = value; })

Refusal check_non_empty(const std::string& value) {
  if (value.empty()) return "not empty";
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

Refusal take_names(const toml::node& node, Settings& to) {
  constexpr std::size_t kNamesMax = 64;
  const std::string rule = fmt::format(
      "an array of at most {} host names without port, such as [\"drover.example.org\"]", kNamesMax);
  const toml::array* array = node.as_array();
  if (array == nullptr || array->size() > kNamesMax) return rule;
  to.server.names.clear();
  for (const toml::node& element : *array) {
    const auto name = string_in(element);
    if (!name || !http::valid_host_name(*name)) return rule;
    to.server.names.push_back(*name);
  }
  return {};
}

struct Section {
  std::string_view name;
  std::vector<Key> keys;
};

const std::vector<Section>& sections() {
  static const std::vector<Section> table = {
      {"server",
       {{"listen", take_listen},
        {"names", take_names},
        word("transport", "\"beast\" or \"cpprest\"", transport::parse_transport,
             DROVER_FIELD(server.transport)),
        integer("threads", 1, 64, DROVER_FIELD(server.threads)),
        integer("max_header_bytes", 1024, 1 << 20, DROVER_FIELD(server.max_header_bytes)),
        integer("max_connections", 1, 1'000'000, DROVER_FIELD(server.max_connections)),
        integer("header_time_s", 1, 3600, DROVER_FIELD(server.header_time_s)),
        integer("body_time_s", 1, 3600, DROVER_FIELD(server.body_time_s)),
        integer("idle_time_s", 1, 3600, DROVER_FIELD(server.idle_time_s)),
        integer("write_time_s", 1, 3600, DROVER_FIELD(server.write_time_s))}},
      {"store",
       {text("conninfo", DROVER_STORE(store.conninfo), check_non_empty),
        integer("read_connections", 1, 100, DROVER_FIELD(store.read_connections)),
        integer("takeover_s", 2, 300, DROVER_FIELD(store.takeover_s)),
        boolean("allow_unsafe", DROVER_FIELD(store.allow_unsafe))}},
      {"worker",
       {text(
           "url", [](Settings& s, const std::string& value) { s.worker.url = without_trailing_slash(value); },
           check_url)}},
      {"artifacts",
       {text("directory", DROVER_STORE(artifacts.directory),
             [](const std::string& value) -> Refusal {
               if (!value.starts_with('/')) return "an absolute path";
               return {};
             })}},
      {"cloud",
       {text("provider", DROVER_STORE(cloud.provider),
             [](const std::string& value) -> Refusal {
               if (value != "ec2" && value != "none") return "one of \"ec2\", \"none\"";
               return {};
             }),
        text("region", DROVER_STORE(cloud.region)),
        text(
            "endpoint",
            [](Settings& s, const std::string& value) { s.cloud.endpoint = without_trailing_slash(value); },
            check_url),
        text("access_key", DROVER_STORE(cloud.access_key), check_non_empty),
        text(
            "secret_key", [](Settings& s, const std::string& value) { s.cloud.secret_key = Secret(value); },
            check_non_empty),
        text("profile", DROVER_STORE(cloud.profile))}},
      {"log",
       {word("level", "\"debug\", \"info\", \"warn\", \"error\"", parse_level, DROVER_FIELD(log.level)),
        boolean("json", DROVER_FIELD(log.json))}},
  };
  return table;
}

std::optional<Json> to_json(const toml::node& node);
std::optional<Json> to_json(const toml::table& table) {
  Json out = Json::object();
  for (const auto& [key, node] : table) {
    std::optional<Json> value = to_json(node);
    if (!value) return std::nullopt;
    out.set(std::string(key.str()), std::move(*value));
  }
  return out;
}

// nullopt for what JSON cannot express: dates, nan and inf.
std::optional<Json> to_json(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return Json(*text);
  if (const auto flag = node.value_exact<bool>()) return Json(*flag);
  if (const auto number = node.value_exact<std::int64_t>()) return Json(*number);
  if (const auto number = node.value_exact<double>())
    return std::isfinite(*number) ? std::optional(Json(*number)) : std::nullopt;
  if (const toml::table* table = node.as_table()) return to_json(*table);
  const toml::array* array = node.as_array();
  if (array == nullptr) return std::nullopt;
  Json out = Json::array();
  for (const toml::node& element : *array) {
    std::optional<Json> value = to_json(element);
    if (!value) return std::nullopt;
    out.push(std::move(*value));
  }
  return out;
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

  void read_keys(std::string_view section, const toml::table& table, const std::vector<Key>& keys,
                 Settings& target) {
    for (const auto& [key, node] : table) {
      const std::string field = fmt::format("{}.{}", section, key.str());
      const auto known =
          std::find_if(keys.begin(), keys.end(), [&](const auto& one) { return one.name == key.str(); });
      if (known == keys.end()) {
        std::vector<std::string_view> names;
        for (const auto& one : keys) names.push_back(one.name);
        return refuse(key.source(), field,
                      fmt::format("unknown setting {}{}", field, what_there_is(key.str(), names)));
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
      read_pool(*element.as_table(), settings);
      if (error_) return;
      if (!names.insert(settings.pools.back().name).second) {
        return refuse(element.source(), "pool.name",
                      fmt::format("there are two pools named {}", settings.pools.back().name));
      }
    }
  }

  void read_pool(const toml::table& table, Settings& settings) {
    // The settings of a pool are the members of a pool in the API.
    std::vector<std::string_view> known;
    for (const auto& one : schema::pool_spec_table().fields()) known.push_back(one.name);
    Json json = Json::object();
    for (const auto& [key, node] : table) {
      const std::string field = fmt::format("pool.{}", key.str());
      if (std::find(known.begin(), known.end(), key.str()) == known.end()) {
        return refuse(key.source(), field,
                      fmt::format("unknown setting {}{}", field, what_there_is(key.str(), known)));
      }
      std::optional<Json> value = to_json(node);
      if (!value) {
        return refuse(node.source(), field,
                      fmt::format("{} must be a string, a finite number, an array or a table", field));
      }
      json.set(std::string(key.str()), std::move(*value));
    }
    if (json.find("name") == nullptr) return refuse(table.source(), "pool.name", "pool.name is required");
    core::PoolSpec pool;
    if (const Status read = schema::pool_spec_table().read(json, pool); !read.ok()) {
      const Error& error = read.error();
      const toml::node* node = table.get(error.field.substr(0, error.field.find_first_of("[.")));
      return refuse(node != nullptr ? node->source() : table.source(), "pool." + error.field,
                    "pool." + error.message);
    }
    settings.pools.push_back(std::move(pool));
  }

  // A pool that is to launch machines, in a daemon without a cloud, would be made and never launch any.
  void check_pool_clouds(const toml::table& root, const Settings& settings) {
    if (settings.cloud.provider != "none") return;
    for (std::size_t i = 0; i < settings.pools.size(); ++i) {
      if (settings.pools[i].provider == core::Provider::none) continue;
      const toml::table& table = *root["pool"][i].as_table();
      const toml::node* provider = table.get("provider");
      refuse(provider != nullptr ? provider->source() : table.source(), "pool.provider",
             "pool.provider must be \"none\" while cloud.provider is: there is no cloud to launch in");
    }
  }

  void check_whole(const toml::table& root, const Settings& settings) {
    if (settings.worker.url.empty()) {
      refuse(root.source(), "worker.url",
             "worker.url is missing: the address under which workers reach this daemon, such as "
             "\"http://10.0.0.5:8080\"");
    }
    if (settings.server.transport == transport::TransportKind::cpprest &&
        settings.server.address.find(':') != std::string::npos) {
      refuse(root["server"]["transport"].node()->source(), "server.transport",
             "server.transport \"cpprest\" listens on IPv4 alone; server.listen names an IPv6 address");
    }
    check_pool_clouds(root, settings);
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
  // The end of a pipe may never come, and a daemon that reads its file again at SIGHUP would wait for ever.
  std::error_code unknown;
  const std::filesystem::file_status status = std::filesystem::status(path, unknown);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return invalid("",
                   fmt::format("the configuration file {} is {}, not a file", path,
                               std::filesystem::is_directory(status) ? "a directory" : "a pipe or device"));
  }
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

std::string changed_sections(const Settings& before, const Settings& after) {
  std::vector<std::string_view> changed;
  if (before.server != after.server) changed.emplace_back("[server]");
  if (before.store != after.store) changed.emplace_back("[store]");
  if (before.worker != after.worker) changed.emplace_back("[worker]");
  if (before.artifacts != after.artifacts) changed.emplace_back("[artifacts]");
  if (before.cloud != after.cloud) changed.emplace_back("[cloud]");
  return fmt::format("{}", fmt::join(changed, ", "));
}

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  for (const Section& section : sections()) {
    for (const auto& key : section.keys) names.push_back(fmt::format("{}.{}", section.name, key.name));
  }
  for (const auto& one : schema::pool_spec_table().fields())
    names.push_back(fmt::format("pool.{}", one.name));
  return names;
}

}  // namespace drover::app
