#include "settings_tables.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "drover/base/address.hpp"
#include "drover/base/text.hpp"
#include "drover/http/hosts.hpp"

namespace drover::app {
namespace {

using schema::Components;
using schema::field;
using schema::Flag;
using schema::Place;
using schema::Said;
using schema::Whole;
using Table = schema::Table<Settings>;

constexpr std::size_t kStringBytes = 4096;
constexpr std::size_t kNamesMax = 64;
constexpr std::int64_t kTimeMax = 3600;  // seconds

// What a text must be besides; nothing: it is.
using Rule = std::optional<std::string_view> (*)(const std::string&);

std::optional<std::string_view> any_text(const std::string& /*value*/) {
  return std::nullopt;
}

std::optional<std::string_view> not_empty(const std::string& value) {
  return value.empty() ? std::optional<std::string_view>("not empty") : std::nullopt;
}

std::optional<std::string_view> absolute_path(const std::string& value) {
  return value.starts_with('/') ? std::nullopt : std::optional<std::string_view>("an absolute path");
}

std::optional<std::string_view> web_address(const std::string& value) {
  const bool web = value.starts_with("http://") || value.starts_with("https://");
  const std::size_t host = value.find("//") + 2;
  const bool clean =
      std::none_of(value.begin(), value.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; });
  if (web && host < value.size() && value[host] != '/' && clean &&
      value.find_first_of("?#") == std::string::npos) {
    return std::nullopt;
  }
  return "a URL such as \"http://10.0.0.5:8080\", without query";
}

// Text of a file. A refusal never repeats the value, which may be a password.
struct FileText {
  Rule rule = any_text;

  bool take(const Place& at, const Json& value, std::string& out) const {
    const std::string* text = value.if_string();
    if (text == nullptr || text->size() > kStringBytes || !storable_text(*text)) {
      at.fail(fmt::format("must be a string of at most {} bytes without NUL", kStringBytes));
      return false;
    }
    if (const std::optional<std::string_view> wanted = rule(*text)) {
      at.fail(fmt::format("must be {}", *wanted));
      return false;
    }
    out = *text;
    return true;
  }
  void read(const Place& at, const Json& value, std::string& out) const { take(at, value, out); }
  void read(const Place& at, const Json& value, Secret& out) const {
    std::string text;
    if (take(at, value, text)) out = Secret(std::move(text));
  }
  template <class V>
  static bool restore(const Json& /*value*/, V& /*out*/) {
    return false;  // the file is never read from a store
  }
  static Json write(const std::string& value) { return value; }
  static Json write(const Secret& /*value*/) { return {}; }
  static Json describe(Components& components) { return Said{}.describe(components); }
};

// A URL; a slash at its end says nothing.
struct Url {
  static void read(const Place& at, const Json& value, std::string& out) {
    if (!FileText{web_address}.take(at, value, out)) return;
    while (out.ends_with('/')) out.pop_back();
  }
  static bool restore(const Json& /*value*/, std::string& /*out*/) { return false; }
  static Json write(const std::string& value) { return value; }
  static Json describe(Components& components) { return Said{"uri"}.describe(components); }
};

// "ADDRESS:PORT".
struct Listen {
  static void read(const Place& at, const Json& value, Settings::Server& out) {
    const std::string* text = value.if_string();
    const auto address = text == nullptr ? std::nullopt : parse_listen(*text);
    if (!address) {
      return at.fail(
          "must be \"ADDRESS:PORT\" with a numeric address, such as \"127.0.0.1:8080\" or \"[::1]:8080\"");
    }
    if (!address->loopback) {
      return at.fail(
          "must be a loopback address (127.0.0.1 or [::1]): requests of users are not authenticated yet, so "
          "put "
          "a proxy that does it in front");
    }
    out.address = address->host;
    out.port = address->port;
  }
  static bool restore(const Json& /*value*/, Settings::Server& /*out*/) { return false; }
  static Json write(const Settings::Server& server) {
    return fmt::format("{}:{}", server.address, server.port);
  }
  static Json describe(Components& components) { return Said{}.describe(components); }
};

struct HostNames {
  using Values = std::vector<std::string>;

  static void read(const Place& at, const Json& value, Values& out) {
    const Json::Array* array = value.if_array();
    Values names;
    bool good = array != nullptr && array->size() <= kNamesMax;
    for (std::size_t i = 0; good && i < array->size(); ++i) {
      const std::string* name = (*array)[i].if_string();
      good = name != nullptr && http::valid_host_name(*name);
      if (good) names.push_back(*name);
    }
    if (!good) {
      return at.fail(fmt::format(
          "must be an array of at most {} host names without port, such as [\"drover.example.org\"]",
          kNamesMax));
    }
    out = std::move(names);
  }
  static bool restore(const Json& /*value*/, Values& /*out*/) { return false; }
  static Json write(const Values& names) { return schema::List{Said{}}.write(names); }
  static Json describe(Components& components) { return schema::List{Said{}}.describe(components); }
};

// One of a few words, as text or as what `parse` makes of it.
template <class E>
struct Word {
  std::span<const std::string_view> words;
  E (*parse)(std::string_view);

  void read(const Place& at, const Json& value, E& out) const {
    if (const std::string* word = schema::one_of(at, value, words)) out = parse(*word);
  }
  static bool restore(const Json& /*value*/, E& /*out*/) { return false; }
  static Json write(const E& /*value*/) { return {}; }
  [[nodiscard]] Json describe(Components& /*components*/) const { return schema::describe_words(words); }
};

constexpr std::array<std::string_view, 2> kTransports{"beast", "cpprest"};
constexpr std::array<std::string_view, 2> kClouds{"ec2", "none"};
constexpr std::array<std::string_view, 4> kLevels{"debug", "info", "warn", "error"};

transport::TransportKind transport_of(std::string_view word) {
  return transport::parse_transport(word).value_or(transport::TransportKind::beast);
}

std::string same_word(std::string_view word) {
  return std::string(word);
}

LogLevel level_of(std::string_view word) {
  if (word == "debug") return LogLevel::debug;
  if (word == "warn") return LogLevel::warn;
  return word == "error" ? LogLevel::error : LogLevel::info;
}

Table section(std::string_view name, Table::Fields fields) {
  return {name, Table::Use::request, "", std::move(fields)};
}

template <class Member, class Kind>
schema::Field<Settings> setting(std::string_view name, Member member, Kind kind) {
  return field<Settings>(name, member, kind);
}

Table server() {
  return section(
      "server",
      {setting(
           "listen", [](auto& s) -> auto& { return s.server; }, Listen{}),
       setting(
           "names", [](auto& s) -> auto& { return s.server.names; }, HostNames{}),
       setting(
           "transport", [](auto& s) -> auto& { return s.server.transport; },
           Word<transport::TransportKind>{kTransports, transport_of}),
       setting(
           "threads", [](auto& s) -> auto& { return s.server.threads; }, Whole{1, 64}),
       setting(
           "max_header_bytes", [](auto& s) -> auto& { return s.server.max_header_bytes; },
           Whole{1024, 1 << 20}),
       setting(
           "max_connections", [](auto& s) -> auto& { return s.server.max_connections; }, Whole{1, 1'000'000}),
       setting(
           "header_time_s", [](auto& s) -> auto& { return s.server.header_time_s; }, Whole{1, kTimeMax}),
       setting(
           "body_time_s", [](auto& s) -> auto& { return s.server.body_time_s; }, Whole{1, kTimeMax}),
       setting(
           "idle_time_s", [](auto& s) -> auto& { return s.server.idle_time_s; }, Whole{1, kTimeMax}),
       setting(
           "write_time_s", [](auto& s) -> auto& { return s.server.write_time_s; }, Whole{1, kTimeMax})});
}

Table store() {
  return section(
      "store",
      {setting(
           "conninfo", [](auto& s) -> auto& { return s.store.conninfo; }, FileText{not_empty}),
       setting(
           "read_connections", [](auto& s) -> auto& { return s.store.read_connections; }, Whole{1, 100}),
       setting(
           "takeover_s", [](auto& s) -> auto& { return s.store.takeover_s; }, Whole{2, 300}),
       setting(
           "allow_unsafe", [](auto& s) -> auto& { return s.store.allow_unsafe; }, Flag{})});
}

Table cloud() {
  return section("cloud",
                 {setting(
                      "provider", [](auto& s) -> auto& { return s.cloud.provider; },
                      Word<std::string>{kClouds, same_word}),
                  setting(
                      "region", [](auto& s) -> auto& { return s.cloud.region; }, FileText{}),
                  setting(
                      "endpoint", [](auto& s) -> auto& { return s.cloud.endpoint; }, Url{}),
                  setting(
                      "access_key", [](auto& s) -> auto& { return s.cloud.access_key; }, FileText{not_empty}),
                  setting(
                      "secret_key", [](auto& s) -> auto& { return s.cloud.secret_key; }, FileText{not_empty}),
                  setting(
                      "profile", [](auto& s) -> auto& { return s.cloud.profile; }, FileText{})});
}

}  // namespace

const std::vector<SettingsSection>& settings_sections() {
  static const std::vector<SettingsSection> all{
      {"server", server()},
      {"store", store()},
      {"worker", section("worker", {setting(
                                       "url", [](auto& s) -> auto& { return s.worker.url; }, Url{})})},
      {"artifacts",
       section("artifacts", {setting(
                                "directory", [](auto& s) -> auto& { return s.artifacts.directory; },
                                FileText{absolute_path})})},
      {"cloud", cloud()},
      {"log", section("log", {setting(
                                  "level", [](auto& s) -> auto& { return s.log.level; },
                                  Word<LogLevel>{kLevels, level_of}),
                              setting(
                                  "json", [](auto& s) -> auto& { return s.log.json; }, Flag{})})}};
  return all;
}

}  // namespace drover::app
