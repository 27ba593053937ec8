#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace drover::cli {

inline constexpr const char* kDefaultConfig = "/etc/drover/drover.toml";
inline constexpr const char* kDefaultUrl = "http://127.0.0.1:8080";

// ---- programs
struct ServeCommand {
  std::string config = kDefaultConfig;
  std::string http_transport;  // "beast" or "cpprest"; empty: what the configuration says
};
struct DevCommand {
  std::string data;  // empty: the default, or with `demo` a temporary directory
  std::string listen = "127.0.0.1:8080";
  bool listen_given = false;
  bool demo = false;
  std::string input = "/usr/share/common-licenses";
};
struct LocalCloudCommand {
  std::string listen = "127.0.0.1:0";
  std::string control = "127.0.0.1:0";
  std::string data;
  std::string access_key = "local";
  std::string secret_key = "local";
  std::string region = "us-east-1";
  bool terminate_on_exit = false;
};
struct MigrateCommand {
  std::string config = kDefaultConfig;
};
struct DoctorCommand {
  std::string config = kDefaultConfig;
  bool policy = false;  // print the IAM policy and do nothing else
};
struct VersionCommand {};

// ---- clients of a running daemon
struct SubmitCommand {
  std::string queue;
  std::string name;
  std::optional<int> priority;
  std::optional<int> max_attempts;
  std::optional<int> timeout_s;
  std::vector<std::string> env;  // NAME=value
  bool hold = false;
  std::string shell;              // shell text, or
  std::vector<std::string> args;  // a program and its arguments
};
struct ListCommand {
  std::string state;
  std::string queue;
  std::string name;
  int limit = 50;
};
struct ShowCommand {
  std::string job;
};
struct LogsCommand {
  std::string job;
  std::string stream = "stdout";
  std::optional<int> attempt;
};
struct ChangeCommand {
  std::string action;  // cancel, hold, release, requeue
  std::vector<std::string> jobs;
};
struct PauseCommand {
  bool paused = true;
};
struct StatusCommand {};
struct WorkersCommand {};
struct PoolsCommand {};

using ClientVerb = std::variant<SubmitCommand, ListCommand, ShowCommand, LogsCommand, ChangeCommand,
                                PauseCommand, StatusCommand, WorkersCommand, PoolsCommand>;
struct ClientCommand {
  std::string url = kDefaultUrl;
  ClientVerb verb;
};

using Command = std::variant<ServeCommand, DevCommand, LocalCloudCommand, MigrateCommand, DoctorCommand,
                             VersionCommand, ClientCommand>;

// What the arguments ask for; or the exit status, after help or a complaint was printed.
std::variant<Command, int> parse_command_line(int argc, const char* const* argv);

}  // namespace drover::cli
