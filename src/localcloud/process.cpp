#include "process.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drover/base/system_error.hpp"
#include "drover/base/text.hpp"

namespace drover::localcloud {

namespace {

std::string boot_id() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(in, id);
  return id;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (auto& string : strings) out.push_back(string.data());
  out.push_back(nullptr);
  return out;
}

// posix_spawn's two attribute objects, released together.
struct SpawnSetup {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
  SpawnSetup() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
};

}  // namespace

Json to_json(const ProcessMark& mark) {
  return Json::object()
      .set("pid", static_cast<std::int64_t>(mark.pid))
      .set("start_ticks", static_cast<std::int64_t>(mark.start_ticks))
      .set("boot_id", mark.boot_id);
}

std::optional<ProcessMark> mark_from_json(const Json& json) {
  const auto* pid = json.find("pid");
  const auto* start = json.find("start_ticks");
  const auto* boot = json.find("boot_id");
  if (pid == nullptr || start == nullptr || boot == nullptr || pid->if_int() == nullptr ||
      start->if_int() == nullptr || boot->if_string() == nullptr) {
    return std::nullopt;
  }
  return ProcessMark{static_cast<pid_t>(*pid->if_int()), static_cast<std::uint64_t>(*start->if_int()),
                     *boot->if_string()};
}

ProcessMark own_mark() {
  const auto self = read_process(getpid());
  return {getpid(), self ? self->start_ticks : 0, boot_id()};
}

bool alive(const ProcessMark& mark) {
  if (mark.pid <= 1 || mark.boot_id != boot_id()) return false;
  const auto entry = read_process(mark.pid);
  return entry && entry->start_ticks == mark.start_ticks && entry->state != 'Z' && entry->state != 'X';
}

std::optional<ProcessEntry> read_process(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  // The name in parentheses may hold anything, ')' included: fields are counted from the last one.
  const auto end_of_name = line.rfind(')');
  if (end_of_name == std::string::npos) return std::nullopt;
  std::istringstream rest(line.substr(end_of_name + 1));
  ProcessEntry entry;
  entry.pid = pid;
  rest >> entry.state >> entry.parent;
  std::string skipped;
  for (int field = 5; field < 22; ++field) rest >> skipped;
  rest >> entry.start_ticks;
  if (!rest) return std::nullopt;
  return entry;
}

std::vector<ProcessEntry> all_processes() {
  std::vector<ProcessEntry> out;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return out;
  while (const dirent* entry = readdir(proc)) {
    const auto pid = parse_int(entry->d_name);
    if (!pid) continue;
    if (auto process = read_process(static_cast<pid_t>(*pid))) out.push_back(*process);
  }
  closedir(proc);
  return out;
}

std::shared_ptr<const ProcessHandle> ProcessHandle::open(pid_t pid) {
  // By number: glibc 2.36 declares pidfd_open for C only.
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return nullptr;
  return std::shared_ptr<const ProcessHandle>(new ProcessHandle(pid, fd));
}

ProcessHandle::~ProcessHandle() {
  close(fd_);
}

void ProcessHandle::signal(int number) const {
  (void)syscall(SYS_pidfd_send_signal, fd_, number, nullptr, 0);
}

Result<pid_t> spawn(const SpawnOptions& options) {
  SpawnSetup setup;
  posix_spawn_file_actions_addopen(&setup.files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&setup.files, 1, options.output.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                   0600);
  posix_spawn_file_actions_adddup2(&setup.files, 1, 2);
  // Sockets of the servers are not close-on-exec. A child that inherited them would keep the ports open after
  // this process has ended.
  posix_spawn_file_actions_addclosefrom_np(&setup.files, 3);
  if (!options.directory.empty()) {
    posix_spawn_file_actions_addchdir_np(&setup.files, options.directory.c_str());
  }
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&setup.attributes, &none);
  posix_spawnattr_setsigdefault(&setup.attributes, &all);
  posix_spawnattr_setflags(&setup.attributes, static_cast<short>(POSIX_SPAWN_SETSIGMASK |
                                                                 POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID));
  auto arguments = options.argv;
  auto environment = options.environment.value_or(std::vector<std::string>{});
  const auto argv = pointers(arguments);
  const auto envp = pointers(environment);
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, argv.front(), &setup.files, &setup.attributes, argv.data(),
                                 options.environment ? envp.data() : environ);
  if (failed != 0) return system_error("cannot run " + options.argv.front(), failed);
  return pid;
}

void kill_marked(const std::string& instance_id) {
  const auto wanted = std::string(kInstanceVariable) + "=" + instance_id;
  // A process may fork between being seen and being killed, so this repeats until a pass finds none, but not
  // for ever.
  for (int pass = 0; pass < 50; ++pass) {
    bool found = false;
    for (const auto& entry : all_processes()) {
      if (entry.state == 'Z') continue;
      const auto handle = ProcessHandle::open(entry.pid);
      const auto text = read_file("/proc/" + std::to_string(entry.pid) + "/environ");
      if (!handle || !text.ok()) continue;
      for (const auto variable : split(*text, '\0')) {
        if (variable != wanted) continue;
        handle->signal(SIGKILL);
        found = true;
      }
    }
    if (!found) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return not_found("cannot read " + path);
  std::string text;
  char piece[16 * 1024];
  while (in.read(piece, sizeof piece) || in.gcount() > 0) {
    text.append(piece, static_cast<std::size_t>(in.gcount()));
    if (text.size() > max_bytes) return too_large(path + " is too large");
  }
  return text;
}

std::string read_tail(const std::string& path, std::size_t max_bytes) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return {};
  const auto size = static_cast<std::size_t>(in.tellg());
  const auto length = std::min(size, max_bytes);
  in.seekg(static_cast<std::streamoff>(size - length));
  std::string text(length, '\0');
  in.read(text.data(), static_cast<std::streamsize>(length));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

Status write_file(const std::string& path, std::string_view text, unsigned mode) {
  const auto fresh = path + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, static_cast<mode_t>(mode));
  if (fd < 0) return system_error("cannot write " + fresh, errno);
  for (std::size_t at = 0; at < text.size();) {
    const auto written = write(fd, text.data() + at, text.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int number = errno;
      close(fd);
      unlink(fresh.c_str());
      return system_error("cannot write " + fresh, number);
    }
    at += static_cast<std::size_t>(written);
  }
  close(fd);
  if (rename(fresh.c_str(), path.c_str()) != 0) return system_error("cannot rename " + fresh, errno);
  return Ok{};
}

}  // namespace drover::localcloud
