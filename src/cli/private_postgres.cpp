#include "private_postgres.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drover/base/secret.hpp"
#include "drover/base/text.hpp"

namespace drover::cli {
namespace {

namespace fs = std::filesystem;

constexpr Millis kInitLimit{60'000};
constexpr Millis kStartLimit{60'000};
constexpr Millis kProgramLimit{20'000};
constexpr Millis kReadyStep{50};
constexpr std::size_t kSocketDirectoryBytes = 90;  // a socket's whole path is at most 107 bytes
constexpr const char* kDatabase = "drover";

std::string caller_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry != nullptr ? entry->pw_name : std::to_string(::geteuid());
}

// The newest /usr/lib/postgresql/N/bin, else the directory of `initdb` on the PATH.
std::optional<std::string> find_programs() {
  std::vector<std::pair<std::int64_t, std::string>> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    const auto version = parse_int(entry.path().filename().string());
    const fs::path bin = entry.path() / "bin";
    if (version && fs::exists(bin / "initdb", ignored) && fs::exists(bin / "postgres", ignored)) {
      found.emplace_back(*version, bin.string());
    }
  }
  if (!found.empty()) return std::max_element(found.begin(), found.end())->second;
  const char* path = ::getenv("PATH");
  for (const std::string_view directory : split(path != nullptr ? path : "", ':')) {
    const fs::path bin{directory};
    if (fs::exists(bin / "initdb", ignored) && fs::exists(bin / "postgres", ignored)) return bin.string();
  }
  return std::nullopt;
}

// An open directory. The server's user reaches it through the inherited descriptor, although it may not enter
// the directories above, such as root's home or one that mktemp made. Other users cannot use the descriptor.
class OpenDirectory {
 public:
  explicit OpenDirectory(const std::string& path)
      : fd_(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {}
  OpenDirectory(const OpenDirectory&) = delete;
  OpenDirectory& operator=(const OpenDirectory&) = delete;
  ~OpenDirectory() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int fd() const { return fd_; }
  // Holds in every process that has inherited the descriptor.
  [[nodiscard]] std::string path() const { return fmt::format("/proc/self/fd/{}", fd_); }

 private:
  int fd_;
};

Status make_owned_directory(const std::string& path, const std::optional<Account>& account) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return system_error("cannot make " + path);
  struct stat info {};
  const uid_t owner = account ? account->uid : ::geteuid();
  if (::lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return system_error(path);
  if (info.st_uid != owner &&
      (::geteuid() != 0 || ::lchown(path.c_str(), owner, account ? account->gid : 0) != 0)) {
    return conflict(fmt::format("{} belongs to another user", path));
  }
  if (::chmod(path.c_str(), 0700) != 0) return system_error(path);
  return Ok{};
}

}  // namespace

Result<PrivatePostgres> PrivatePostgres::open(const std::string& directory) {
  const auto programs = find_programs();
  if (!programs) {
    return not_found(
        "PostgreSQL's server programs were not found; install them: apt-get install postgresql-15");
  }
  std::optional<Account> account;
  if (::geteuid() == 0) {
    account = find_account("postgres");
    if (!account) return not_found("there is no user postgres to run the database as");
  }
  PrivatePostgres postgres(directory, *programs, std::move(account));
  if (Status made = postgres.make_cluster(); !made.ok()) return made.error();
  if (Status made = postgres.make_socket_directory(); !made.ok()) return made.error();
  return postgres;
}

Status PrivatePostgres::make_cluster() {
  std::error_code ignored;
  if (fs::exists(data() + "/PG_VERSION", ignored)) return Ok{};
  // Removes what an interrupted initdb may have left behind, on which initdb would refuse to work.
  fs::remove_all(data(), ignored);
  if (Status made = make_owned_directory(data(), account_); !made.ok()) return made;
  const OpenDirectory cluster(data());
  ChildSpec initdb;
  initdb.argv = {programs_ + "/initdb", "-N", "-D",   cluster.path(), "-U",
                 caller_name(),         "-A", "peer", "-E",           "UTF8",
                 "--locale=C.UTF-8"};
  initdb.kept_open = {cluster.fd()};
  initdb.account = account_;
  initdb.death_signal = SIGTERM;
  auto output = run_program(initdb, kInitLimit);
  if (!output.ok()) return output.error();
  return Ok{};
}

Status PrivatePostgres::make_socket_directory() {
  sockets_ = directory_ + "/run";
  if (sockets_.size() > kSocketDirectoryBytes) {
    sockets_ = fmt::format("/tmp/drover-{}-{}", ::geteuid(), to_hex(sha256(directory_)).substr(0, 12));
  }
  return make_owned_directory(sockets_, account_);
}

Status PrivatePostgres::start() {
  // A server that was killed leaves a pid file and, for a moment, its children, so that the first tries may
  // fail.
  const auto until = std::chrono::steady_clock::now() + kStartLimit;
  Status started = start_once();
  while (!started.ok() && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(Millis{200});
    started = start_once();
  }
  if (!started.ok()) return started;
  return make_database();
}

Status PrivatePostgres::start_once() {
  const OpenDirectory cluster(data());
  const OpenDirectory sockets(sockets_);
  ChildSpec spec;
  spec.kept_open = {cluster.fd(), sockets.fd()};
  spec.argv = {programs_ + "/postgres",
               "-D",
               cluster.path(),
               "-k",
               sockets.path(),
               "-c",
               "listen_addresses=",
               "-c",
               "unix_socket_permissions=0700",
               "-c",
               "shared_buffers=64MB"};
  spec.log_file = directory_ + "/log/postgres.log";
  spec.account = account_;
  spec.death_signal = SIGINT;  // its "fast" shutdown
  auto server = Child::start(spec);
  if (!server.ok()) return server.error();
  server_.emplace(std::move(*server));
  ChildSpec ready;
  ready.argv = {programs_ + "/pg_isready", "-q", "-h", sockets_, "-d", "postgres"};
  const auto until = std::chrono::steady_clock::now() + kStartLimit;
  while (std::chrono::steady_clock::now() < until) {
    if (const auto ended = server_->poll()) {
      return unavailable(
          fmt::format("PostgreSQL ended at once ({}); see {}", describe_status(*ended), spec.log_file));
    }
    if (run_program(ready, kProgramLimit).ok()) return Ok{};
    std::this_thread::sleep_for(kReadyStep);
  }
  server_->stop(SIGQUIT, Millis{2000});
  return timed_out("PostgreSQL does not become ready; see " + spec.log_file);
}

Status PrivatePostgres::make_database() {
  ChildSpec reach;
  reach.argv = {programs_ + "/psql", "-X", "-h", sockets_, "-U", caller_name(), "-d", kDatabase, "-c", ""};
  if (run_program(reach, kProgramLimit).ok()) return Ok{};
  ChildSpec createdb;
  createdb.argv = {programs_ + "/createdb", "-h", sockets_, "-U", caller_name(), kDatabase};
  const auto output = run_program(createdb, kProgramLimit);
  if (!output.ok()) return output.error();
  return Ok{};
}

void PrivatePostgres::stop() {
  if (server_) server_->stop(SIGINT, Millis{15'000});
  server_.reset();
  // A socket directory outside the development directory is not removed with that.
  if (!sockets_.starts_with(directory_ + "/")) ::rmdir(sockets_.c_str());
}

std::string PrivatePostgres::conninfo() const {
  // libpq's quoting: ' and \ are escaped by a backslash.
  std::string host;
  for (const char c : sockets_) {
    if (c == '\'' || c == '\\') host += '\\';
    host += c;
  }
  return fmt::format("host='{}' dbname={} user={}", host, kDatabase, caller_name());
}

}  // namespace drover::cli
