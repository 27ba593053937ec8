#include "child.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drover/base/text.hpp"

namespace drover::cli {
namespace {

constexpr Millis kWaitStep{20};
constexpr std::size_t kOutputBytes = 64 * 1024;

// All that the child needs, made before the fork: after it the child may make only calls that are safe in the
// copy of a threaded process.
struct Prepared {
  std::vector<char*> argv;
  std::vector<std::string> env_text;
  std::vector<char*> envp;
  int log = -1;
  int output[2] = {-1, -1};
  int failure[2] = {-1, -1};  // carries errno when the program cannot be started
};

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

void close_all(Prepared& prepared) {
  close_fd(prepared.log);
  for (int* pair : {prepared.output, prepared.failure}) {
    close_fd(pair[0]);
    close_fd(pair[1]);
  }
}

// Variables that the caller set for other programs. They would lead the child to a database (libpq and the
// server read PG*), a cloud or a proxy that is not meant for it, or let it speak for this process to the
// service manager.
bool is_for_others(std::string_view name) {
  static constexpr std::array kStarts = {"PG", "AWS_", "EC2_", "WATCHDOG_", "LISTEN_"};
  return lower(name).ends_with("_proxy") || name == "NOTIFY_SOCKET" ||
         std::any_of(kStarts.begin(), kStarts.end(),
                     [&](const char* start) { return name.starts_with(start); });
}

void prepare_environment(const ChildSpec& spec, Prepared& prepared) {
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    const bool replaced = std::any_of(spec.env.begin(), spec.env.end(),
                                      [&](const auto& variable) { return variable.first == name; });
    if (!replaced && !is_for_others(name)) prepared.env_text.emplace_back(text);
  }
  for (const auto& [name, value] : spec.env) prepared.env_text.push_back(fmt::format("{}={}", name, value));
  for (std::string& text : prepared.env_text) prepared.envp.push_back(text.data());
  prepared.envp.push_back(nullptr);
}

Status prepare(const ChildSpec& spec, Prepared& prepared) {
  for (const std::string& word : spec.argv) prepared.argv.push_back(const_cast<char*>(word.c_str()));
  prepared.argv.push_back(nullptr);
  prepare_environment(spec, prepared);
  if (!spec.log_file.empty()) {
    prepared.log = ::open(spec.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (prepared.log < 0) return system_error("cannot write " + spec.log_file, errno);
  }
  if (spec.capture_stdout && ::pipe2(prepared.output, O_CLOEXEC) != 0) return system_error("pipe", errno);
  if (::pipe2(prepared.failure, O_CLOEXEC) != 0) return system_error("pipe", errno);
  return Ok{};
}

bool become(const Account& account) {
  return ::syscall(SYS_setgroups, account.groups.size(), account.groups.data()) == 0 &&
         ::syscall(SYS_setresgid, account.gid, account.gid, account.gid) == 0 &&
         ::syscall(SYS_setresuid, account.uid, account.uid, account.uid) == 0;
}

bool set_up(const ChildSpec& spec, const Prepared& prepared, pid_t parent) {
  ::setpgid(0, 0);
  for (const int fd : spec.kept_open) {
    if (::fcntl(fd, F_SETFD, 0) != 0) return false;
  }
  if (spec.account && !become(*spec.account)) return false;
  // Set after the change of user, which would clear it.
  if (spec.death_signal != 0) {
    if (::prctl(PR_SET_PDEATHSIG, spec.death_signal) != 0) return false;
    if (::getppid() != parent) ::_exit(0);  // the parent ended before the signal was set
  }
  const int null = ::open("/dev/null", O_RDONLY);
  if (null < 0 || ::dup2(null, STDIN_FILENO) < 0) return false;
  if (null > STDERR_FILENO) ::close(null);
  if (prepared.log >= 0 &&
      (::dup2(prepared.log, STDERR_FILENO) < 0 || ::dup2(prepared.log, STDOUT_FILENO) < 0)) {
    return false;
  }
  return !spec.capture_stdout || ::dup2(prepared.output[1], STDOUT_FILENO) >= 0;
}

[[noreturn]] void run_child(const ChildSpec& spec, const Prepared& prepared, pid_t parent) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGPIPE, SIGQUIT}) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (set_up(spec, prepared, parent)) ::execve(prepared.argv[0], prepared.argv.data(), prepared.envp.data());
  const int code = errno;
  [[maybe_unused]] const auto written = ::write(prepared.failure[1], &code, sizeof code);
  ::_exit(127);
}

}  // namespace

std::optional<Account> find_account(const std::string& user) {
  const passwd* entry = ::getpwnam(user.c_str());
  if (entry == nullptr) return std::nullopt;
  Account account{entry->pw_uid, entry->pw_gid, {}};
  int count = 64;
  account.groups.resize(static_cast<std::size_t>(count));
  if (::getgrouplist(user.c_str(), entry->pw_gid, account.groups.data(), &count) < 0) {
    account.groups.resize(static_cast<std::size_t>(count));
    ::getgrouplist(user.c_str(), entry->pw_gid, account.groups.data(), &count);
  }
  account.groups.resize(static_cast<std::size_t>(count));
  return account;
}

Result<Child> Child::start(const ChildSpec& spec) {
  Prepared prepared;
  if (Status ready = prepare(spec, prepared); !ready.ok()) {
    close_all(prepared);
    return ready.error();
  }
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) run_child(spec, prepared, parent);
  const int fork_error = errno;
  close_fd(prepared.failure[1]);
  int code = 0;
  ssize_t got = 0;
  if (pid > 0) {
    do {
      got = ::read(prepared.failure[0], &code, sizeof code);
    } while (got < 0 && errno == EINTR);
  }
  const int output = std::exchange(prepared.output[0], -1);
  close_all(prepared);
  if (pid < 0 || got > 0) {
    if (output >= 0) ::close(output);
    if (pid > 0) ::waitpid(pid, nullptr, 0);
    return system_error("cannot start " + spec.argv[0], pid < 0 ? fork_error : code);
  }
  return Child(pid, output);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_(std::exchange(other.output_, -1)),
      pending_(std::move(other.pending_)),
      status_(other.status_) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this == &other) return *this;
  stop(SIGKILL, Millis{0});
  close_fd(output_);
  pid_ = std::exchange(other.pid_, -1);
  output_ = std::exchange(other.output_, -1);
  pending_ = std::move(other.pending_);
  status_ = other.status_;
  return *this;
}

Child::~Child() {
  stop(SIGKILL, Millis{0});
  close_fd(output_);
}

std::optional<int> Child::poll() {
  if (status_ || pid_ < 0) return status_;
  int status = 0;
  const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
  if (ended == pid_) status_ = status;
  if (ended < 0 && errno == ECHILD) status_ = 0;
  return status_;
}

std::optional<int> Child::wait(Millis limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!poll() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(kWaitStep);
  return poll();
}

Result<std::string> Child::read_line(Millis limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (true) {
    if (const std::size_t end = pending_.find('\n'); end != std::string::npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return line;
    }
    const auto left = std::chrono::duration_cast<Millis>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return timed_out("the program wrote no line in time");
    pollfd ready{output_, POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(left.count())) <= 0) continue;
    char buffer[4096];
    const ssize_t got = ::read(output_, buffer, sizeof buffer);
    if (got == 0) return unavailable("the program closed its output");
    if (got > 0) pending_.append(buffer, static_cast<std::size_t>(got));
  }
}

void Child::stop(int signal, Millis grace) {
  if (pid_ < 0 || poll()) return;
  ::kill(pid_, signal);
  if (wait(grace)) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  status_ = status;
}

Result<std::string> run_program(ChildSpec spec, Millis limit) {
  char path[] = "/tmp/drover-output-XXXXXX";
  const int fd = ::mkostemp(path, O_CLOEXEC);
  if (fd < 0) return system_error("cannot make a temporary file", errno);
  spec.log_file = path;
  auto child = Child::start(spec);
  std::optional<int> status;
  if (child.ok()) status = child->wait(limit);
  std::string output(kOutputBytes, '\0');
  const ssize_t got = ::pread(fd, output.data(), output.size(), 0);
  output.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  ::close(fd);
  ::unlink(path);
  if (!child.ok()) return child.error();
  if (!status) return timed_out(fmt::format("{} did not end in time: {}", spec.argv[0], output));
  if (*status != 0) {
    return internal(fmt::format("{}: {}: {}", spec.argv[0], describe_status(*status), output));
  }
  return output;
}

std::string describe_status(int wait_status) {
  if (WIFEXITED(wait_status)) return fmt::format("exit status {}", WEXITSTATUS(wait_status));
  return fmt::format("signal {}", WTERMSIG(wait_status));
}

}  // namespace drover::cli
