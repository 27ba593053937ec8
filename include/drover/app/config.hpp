#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "drover/base/limits.hpp"
#include "drover/base/log.hpp"
#include "drover/base/result.hpp"
#include "drover/base/secret.hpp"
#include "drover/core/fleet/facts.hpp"
#include "drover/transport/server.hpp"

namespace drover::app {

// What the daemon reads from its configuration file at its start, and again at SIGHUP: then `log` and `pools`
// take effect at once, the rest at the next start. config/drover.toml explains every setting; what may change
// while it runs is core::Tunables. Durations are seconds.
struct Settings {
  struct Server {
    std::string address = "127.0.0.1";  // a loopback address
    std::uint16_t port = 8080;          // 0: any free one
    std::vector<std::string> names;     // that requests may use beside addresses and localhost
    transport::TransportKind transport = transport::TransportKind::beast;
    int threads = 2;
    std::int64_t max_header_bytes = static_cast<std::int64_t>(limits::kHeaderBytes);
    std::int64_t max_connections = static_cast<std::int64_t>(limits::kConnections);
    int header_time_s = static_cast<int>(limits::kHeaderTime.count());
    int body_time_s = static_cast<int>(limits::kBodyTime.count());
    int idle_time_s = static_cast<int>(limits::kIdleTime.count());
    int write_time_s = static_cast<int>(limits::kWriteTime.count());
    bool operator==(const Server&) const = default;
  } server;
  struct Store {
    std::string conninfo =
        "dbname=drover";  // libpq's form or a postgresql:// URL; may hold a password: never log it
    int read_connections = 4;
    int takeover_s = 5;
    bool allow_unsafe = false;
    bool operator==(const Store&) const = default;
  } store;
  struct Worker {
    std::string url;  // no trailing slash
    bool operator==(const Worker&) const = default;
  } worker;
  struct Artifacts {
    std::string directory = "/var/lib/drover/artifacts";
    bool operator==(const Artifacts&) const = default;
  } artifacts;
  struct Cloud {
    std::string provider = "ec2";  // "ec2" or "none"
    std::string region;            // empty: from the environment or the profile
    std::string endpoint;          // empty: the region's own
    std::string access_key;        // empty: the usual chain of credentials
    Secret secret_key;
    std::string profile;  // of the shared credentials file
    bool operator==(const Cloud&) const = default;
  } cloud;
  struct Log {
    LogLevel level = LogLevel::info;
    bool json = false;
    bool operator==(const Log&) const = default;
  } log;
  std::vector<core::PoolSpec> pools;  // made where they do not exist; changed over the API afterwards
};

// Parses and checks the text of a configuration file. The error is Errc::invalid: its message begins with
// "<name>:<line>: " and says what is allowed, its field is the dotted setting.
Result<Settings> parse_settings(std::string_view text, const std::string& name = "drover.toml");
// The same for a file; not_found or forbidden when it cannot be read.
Result<Settings> load_settings(const std::string& path);

// The sections, as "[server], [cloud]", in which the two differ and which take effect only at the next start.
std::string changed_sections(const Settings& before, const Settings& after);

// Every setting as "section.key" ("pool.name" for the tables of [[pool]]), in the order of
// config/drover.toml.
std::vector<std::string> setting_names();

}  // namespace drover::app
