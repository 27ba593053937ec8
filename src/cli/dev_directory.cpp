#include "dev_directory.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drover/base/clock.hpp"
#include "drover/base/text.hpp"

#include "child.hpp"

namespace drover::cli {
namespace {

namespace fs = std::filesystem;

constexpr Seconds kLeftoversEnd{30};
constexpr Millis kLockStep{100};

bool owner_lives(int lock) {
  char text[21] = {};
  if (::pread(lock, text, sizeof text - 1, 0) <= 0) return true;
  const auto pid = parse_int(trim(text));
  return !pid || *pid <= 0 || ::kill(static_cast<pid_t>(*pid), 0) == 0 || errno != ESRCH;
}

std::string default_directory() {
  if (::geteuid() == 0) return "/var/lib/drover-dev";  // root's home is closed to the database's user
  const char* data = ::getenv("XDG_DATA_HOME");
  if (data != nullptr && data[0] == '/') return std::string(data) + "/drover";
  const char* home = ::getenv("HOME");
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.local/share/drover";
  return fs::absolute("drover-data").string();
}

// Makes a directory that others can pass through and not list, so that a job that gave up root can reach its
// own directories inside; files with secrets have modes of their own. The mode of a directory that was there
// before is left as the user set it.
Status make_passable(const std::string& path, bool just_made) {
  const bool made = ::mkdir(path.c_str(), 0711) == 0;
  if (!made && errno != EEXIST) return system_error("cannot make " + path);
  if ((made || just_made) && ::chmod(path.c_str(), 0711) != 0) return system_error("cannot open " + path);
  return Ok{};
}

std::string path_of(const std::string& wanted) {
  std::string path = wanted.empty() ? default_directory() : fs::absolute(wanted).lexically_normal().string();
  if (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

}  // namespace

bool DevDirectory::exists(const std::string& wanted, bool temporary) {
  std::error_code ignored;
  return !(wanted.empty() && temporary) && fs::exists(path_of(wanted) + "/lock", ignored);
}

Result<DevDirectory> DevDirectory::open(const std::string& wanted, bool temporary) {
  std::string path = path_of(wanted);
  const bool made_up = wanted.empty() && temporary;
  if (made_up) {
    char name[] = "/tmp/drover-demo-XXXXXX";
    if (::mkdtemp(name) == nullptr) return system_error("cannot make a directory in /tmp");
    path = name;
  }
  std::error_code error;
  const fs::path parent = fs::path(path).parent_path();
  fs::create_directories(parent, error);
  if (error) return internal(fmt::format("cannot make {}: {}", parent.string(), error.message()));
  if (Status made = make_passable(path, made_up); !made.ok()) return made.error();
  DevDirectory directory(path, made_up);
  if (Status locked = directory.lock(); !locked.ok()) return locked.error();
  directory.fresh_ = !fs::exists(path + "/postgres/PG_VERSION", error);
  const std::string logs = path + "/log";
  if (::mkdir(logs.c_str(), 0700) != 0 && errno != EEXIST) return system_error("cannot make " + logs);
  if (Status made = make_passable(path + "/cloud", false); !made.ok()) return made.error();
  return directory;
}

DevDirectory::DevDirectory(DevDirectory&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, false)),
      fresh_(other.fresh_),
      lock_(std::exchange(other.lock_, -1)) {}

DevDirectory::~DevDirectory() {
  std::error_code ignored;
  if (temporary_) fs::remove_all(path_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

Status DevDirectory::lock() {
  const std::string file = path_ + "/lock";
  lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) return system_error("cannot write " + file);
  const auto until = std::chrono::steady_clock::now() + kLeftoversEnd;
  while (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    // The owner of the directory is dead, and the programs that it started are about to end: they are waited
    // for.
    if (owner_lives(lock_) || std::chrono::steady_clock::now() > until) {
      return conflict(fmt::format("another `drover dev` runs in {}", path_));
    }
    std::this_thread::sleep_for(kLockStep);
  }
  const std::string owner = fmt::format("{:<20}", ::getpid());
  if (::pwrite(lock_, owner.data(), owner.size(), 0) != static_cast<ssize_t>(owner.size()))
    return system_error(file);
  return Ok{};
}

Status write_private_file(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".new";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return system_error("cannot write " + temporary);
  const ssize_t written = ::write(fd, text.data(), text.size());
  const bool complete = written == static_cast<ssize_t>(text.size());
  ::close(fd);
  if (!complete || ::rename(temporary.c_str(), path.c_str()) != 0)
    return system_error("cannot write " + path);
  return Ok{};
}

std::string log_tail(const std::string& path, int lines) {
  std::ifstream in(path);
  std::deque<std::string> last;
  for (std::string line; std::getline(in, line);) {
    last.push_back("    " + line + "\n");
    if (static_cast<int>(last.size()) > lines) last.pop_front();
  }
  std::string out;
  for (const std::string& line : last) out += line;
  return out;
}

Result<std::uint16_t> free_port(const ListenAddress& address) {
  const bool six = address.host.find(':') != std::string::npos;
  const int fd = ::socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return system_error("socket");
  // Connections in TIME_WAIT of an earlier server do not count, as for the daemon.
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage storage{};
  socklen_t size = six ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  auto* four_address = reinterpret_cast<sockaddr_in*>(&storage);
  auto* six_address = reinterpret_cast<sockaddr_in6*>(&storage);
  storage.ss_family = six ? AF_INET6 : AF_INET;
  (six ? six_address->sin6_port : four_address->sin_port) = htons(address.port);
  const int valid = six ? ::inet_pton(AF_INET6, address.host.c_str(), &six_address->sin6_addr)
                        : ::inet_pton(AF_INET, address.host.c_str(), &four_address->sin_addr);
  errno = EINVAL;
  const bool bound = valid == 1 && ::bind(fd, reinterpret_cast<sockaddr*>(&storage), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) == 0;
  const int code = errno;
  ::close(fd);
  if (bound) return ntohs(six ? six_address->sin6_port : four_address->sin_port);
  Error error = system_error("cannot listen on " + base_url(address.host, address.port), code);
  if (code == EADDRINUSE) error.message += "; --listen 127.0.0.1:0 takes any free port";
  return error;
}

}  // namespace drover::cli
