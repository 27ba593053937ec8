#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "drover/base/json.hpp"
#include "drover/base/result.hpp"

namespace drover::localcloud {

// Names a process in such a way that one that got its pid later, or after a reboot, is not taken for it.
struct ProcessMark {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::string boot_id;
};
Json to_json(const ProcessMark& mark);
std::optional<ProcessMark> mark_from_json(const Json& json);
ProcessMark own_mark();
// A zombie counts as dead.
bool alive(const ProcessMark& mark);

// One line of the process table.
struct ProcessEntry {
  pid_t pid = 0;
  pid_t parent = 0;
  std::uint64_t start_ticks = 0;
  char state = '?';
};
std::optional<ProcessEntry> read_process(pid_t pid);
std::vector<ProcessEntry> all_processes();

// A pidfd: a signal through it reaches this process or none. Thread-safe.
class ProcessHandle {
 public:
  static std::shared_ptr<const ProcessHandle> open(pid_t pid);  // nullptr when there is no such process
  ~ProcessHandle();
  ProcessHandle(const ProcessHandle&) = delete;
  ProcessHandle& operator=(const ProcessHandle&) = delete;
  void signal(int number) const;
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  ProcessHandle(pid_t pid, int fd) : pid_(pid), fd_(fd) {}
  pid_t pid_;
  int fd_;
};

struct SpawnOptions {
  std::vector<std::string> argv;
  std::optional<std::vector<std::string>> environment;  // "K=V"; nullopt: the caller's own
  std::string directory;                                // empty: the caller's own
  std::string output;                                   // file for stdout and stderr, appended to
};
// A new session, default signal handling, stdin empty, no other descriptor inherited. posix_spawn: safe in a
// process with threads.
Result<pid_t> spawn(const SpawnOptions& options);

// Ends every process whose environment names the instance. For when its supervisor died and could not.
void kill_marked(const std::string& instance_id);

Result<std::string> read_file(const std::string& path, std::size_t max_bytes = 16U << 20U);
// The last `max_bytes` of a file; empty when there is none.
std::string read_tail(const std::string& path, std::size_t max_bytes);
// Readers see the old text or the new one.
Status write_file(const std::string& path, std::string_view text, unsigned mode = 0600);

// The environment variable by which a process of an instance is recognised.
inline constexpr const char* kInstanceVariable = "DROVER_INSTANCE_ID";

// The mode of the directories above an instance's own root: others can pass through and not list, so that a
// job that gave up root reaches its directories. The files beside are closed to others, user data with its
// token among them.
inline constexpr auto kPassable = std::filesystem::perms::owner_all | std::filesystem::perms::group_exec |
                                  std::filesystem::perms::others_exec;

// Where an instance's files are.
struct InstancePaths {
  std::string directory;
  [[nodiscard]] std::string record() const { return directory + "/instance.json"; }  // by the local cloud
  [[nodiscard]] std::string supervisor() const {
    return directory + "/supervisor.json";
  }                                                                            // by the supervisor
  [[nodiscard]] std::string exit() const { return directory + "/exit.json"; }  // by the supervisor
  [[nodiscard]] std::string user_data() const { return directory + "/user-data"; }
  [[nodiscard]] std::string console() const { return directory + "/console.log"; }
  [[nodiscard]] std::string log() const { return directory + "/supervisor.log"; }
  [[nodiscard]] std::string root() const { return directory + "/root"; }  // home and working directory
};

}  // namespace drover::localcloud
