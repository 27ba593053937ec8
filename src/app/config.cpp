#include "drover/app/config.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include "drover/base/json.hpp"
#include "drover/base/text.hpp"
#include "drover/schema/pool.hpp"

#include "settings_tables.hpp"

namespace drover::app {
namespace {

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

  // A table of the file by its table of fields; `section` stands before the names in what is said of it. A
  // refusal is told at the line of the setting that it is about.
  template <class T>
  void read_table(std::string_view section, const toml::table& table, const schema::Table<T>& fields,
                  T& target) {
    std::vector<std::string_view> known;
    for (const auto& one : fields.fields()) known.push_back(one.name);
    Json json = Json::object();
    for (const auto& [key, node] : table) {
      const std::string field = fmt::format("{}.{}", section, key.str());
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
    if (const Status read = fields.read(json, target, section); !read.ok()) {
      const Error& error = read.error();
      const std::string_view key =
          std::string_view(error.field).substr(std::min(section.size() + 1, error.field.size()));
      const toml::node* node = table.get(key.substr(0, key.find_first_of("[.")));
      refuse(node != nullptr ? node->source() : table.source(), error.field, error.message);
    }
  }

  void read_section(const toml::key& key, const toml::node& node, Settings& settings) {
    const auto& sections = settings_sections();
    const auto known = std::find_if(sections.begin(), sections.end(),
                                    [&](const SettingsSection& one) { return one.name == key.str(); });
    if (known == sections.end() || !node.is_table()) {
      std::vector<std::string> names;
      for (const SettingsSection& one : sections) names.push_back(fmt::format("[{}]", one.name));
      return refuse(
          key.source(), std::string(key.str()),
          fmt::format("unknown section {}; there are {} and [[pool]]", key.str(), fmt::join(names, ", ")));
    }
    read_table(known->name, *node.as_table(), known->table, settings);
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

  // The settings of a pool are the members of a pool in the API.
  void read_pool(const toml::table& table, Settings& settings) {
    if (table.get("name") == nullptr) return refuse(table.source(), "pool.name", "pool.name is required");
    core::PoolSpec pool;
    read_table("pool", table, schema::pool_spec_table(), pool);
    if (!error_) settings.pools.push_back(std::move(pool));
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
  for (const SettingsSection& section : settings_sections()) {
    for (const auto& one : section.table.fields())
      names.push_back(fmt::format("{}.{}", section.name, one.name));
  }
  for (const auto& one : schema::pool_spec_table().fields())
    names.push_back(fmt::format("pool.{}", one.name));
  return names;
}

}  // namespace drover::app
