#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drover/base/log.hpp"
#include "drover/base/text.hpp"
#include "drover/localcloud/local_cloud.hpp"
#include "drover/transport/server.hpp"

#include "imds.hpp"
#include "instance.hpp"
#include "process.hpp"

// One process per instance, the parent of all that the instance runs: a subreaper, so that a process whose
// parent ends becomes its child again, `setsid` or not. No child left therefore means no descendant left.
namespace drover::localcloud {

namespace {

constexpr Millis kRecordCheck{2000};

// SIGTERM: an orderly shutdown. SIGUSR1: sudden death.
sigset_t supervised_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGUSR1}) sigaddset(&set, number);
  return set;
}

std::vector<ProcessEntry> descendants() {
  const auto all = all_processes();
  std::set<pid_t> family{getpid()};
  std::vector<ProcessEntry> out;
  // A child may have a smaller pid than its parent: until a pass adds none.
  for (bool grew = true; grew;) {
    grew = false;
    for (const auto& entry : all) {
      if (!family.contains(entry.parent) || family.contains(entry.pid)) continue;
      family.insert(entry.pid);
      out.push_back(entry);
      grew = true;
    }
  }
  return out;
}

void signal_descendants(std::initializer_list<int> numbers) {
  for (const auto& entry : descendants()) {
    const auto handle = ProcessHandle::open(entry.pid);
    const auto now = read_process(entry.pid);
    // The pid may have been reused between the listing and the handle.
    if (!handle || !now || now->start_ticks != entry.start_ticks) continue;
    for (const int number : numbers) handle->signal(number);
  }
}

class Supervisor {
 public:
  Supervisor(InstancePaths paths, Instance instance)
      : paths_(std::move(paths)), instance_(std::move(instance)) {}

  int run();

 private:
  Status start_imds();
  Status start_user_data();
  [[nodiscard]] std::vector<std::string> environment() const;
  bool reap();
  [[nodiscard]] int wait_signal(Millis limit) const;
  bool end_in_order();
  void end_at_once();
  void write_exit(std::string_view cause) const;

  InstancePaths paths_;
  Instance instance_;
  sigset_t signals_ = supervised_signals();
  std::unique_ptr<Imds> imds_;
  std::unique_ptr<transport::Server> server_;
  pid_t script_ = 0;
  std::optional<int> script_status_;
};

int Supervisor::run() {
  // Before any thread exists: every thread inherits the mask, and the signals wait for wait_signal().
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    log_error("cannot become a subreaper");
    return 1;
  }
  if (auto started = start_imds(); !started.ok()) {
    log_error("{}", started.error().message);
    return 1;
  }
  // The supervisor writes its mark, then reads the record; a local cloud that gives the instance up writes
  // the record, then reads the mark. So at least one of the two sees the other.
  const auto current = load_instance(paths_.record());
  if (!current.ok() || !runs(*current)) return 0;
  if (auto started = start_user_data(); !started.ok()) {
    log_error("{}", started.error().message);
    write_exit("script");
    return 0;
  }
  std::string_view cause = "script";
  bool sudden = false;
  while (!script_status_) {
    const int number = wait_signal(kRecordCheck);
    reap();
    // When the instance's record was removed no local cloud would ever end this supervisor, so it ends by
    // itself.
    const bool removed = number < 0 && !std::filesystem::exists(paths_.record());
    if (!removed && (number == SIGCHLD || number < 0)) continue;
    cause = "stopped";
    sudden = removed || number == SIGUSR1;
    break;
  }
  if (!sudden) sudden = !end_in_order();
  if (sudden) end_at_once();
  server_->stop(Millis(0));
  write_exit(cause);
  return 0;
}

Status Supervisor::start_imds() {
  imds_ = std::make_unique<Imds>([path = paths_.record()] { return load_instance(path); },
                                 [path = paths_.user_data()] { return read_file(path).value_or(""); });
  transport::ServerOptions options;
  options.threads = 1;
  options.server_name = "EC2ws";
  options.spool_directory = paths_.directory;
  server_ = transport::make_beast_server(options, *imds_);
  if (auto started = server_->start(); !started.ok()) return started;
  return write_file(paths_.supervisor(), to_json(own_mark()).set("imds_port", int{server_->port()}).dump());
}

std::vector<std::string> Supervisor::environment() const {
  std::map<std::string, std::string> values;
  values["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  values["HOME"] = paths_.root();
  values["TMPDIR"] = paths_.root() + "/tmp";
  values["LANG"] = "C.UTF-8";
  for (const auto& [name, value] : instance_.environment) values[name] = value;
  values["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:" + std::to_string(server_->port());
  values[kInstanceVariable] = instance_.id;
  std::vector<std::string> out;
  for (const auto& [name, value] : values) out.push_back(std::string(name).append("=").append(value));
  return out;
}

Status Supervisor::start_user_data() {
  std::error_code failed;
  std::filesystem::create_directories(paths_.root() + "/tmp", failed);
  if (failed) return internal("cannot make " + paths_.root() + ": " + failed.message());
  // The instance boots and runs nothing, like a machine whose user data is no script.
  if (instance_.image == kInertImage) return Ok{};
  // Images run user data when they boot for the first time, and not when the machine is started again.
  if (instance_.boots > 1) return Ok{};
  if (!read_file(paths_.user_data()).value_or("").starts_with("#!")) return Ok{};
  chmod(paths_.user_data().c_str(), 0700);
  const auto spawned = spawn({{paths_.user_data()}, environment(), paths_.root(), paths_.console()});
  if (!spawned.ok()) return spawned.error();
  script_ = *spawned;
  return Ok{};
}

// False when no child is left.
bool Supervisor::reap() {
  while (true) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid == 0) return true;
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) return false;
    if (pid == script_) script_status_ = status;
  }
}

// The signal that came, or -1 after `limit`.
int Supervisor::wait_signal(Millis limit) const {
  const timespec timeout{limit.count() / 1000, limit.count() % 1000 * 1'000'000};
  return sigtimedwait(&signals_, nullptr, &timeout);
}

// SIGTERM to all, then time to end. False when some are left after it.
bool Supervisor::end_in_order() {
  const auto deadline = std::chrono::steady_clock::now() + instance_.shutdown_grace;
  if (!reap()) return true;
  signal_descendants({SIGTERM, SIGCONT});
  while (reap()) {
    const auto left = std::chrono::duration_cast<Millis>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    if (wait_signal(left) == SIGUSR1) return false;
  }
  return true;
}

// Ends all processes at once, as a machine does that loses its power: all are stopped before the first is
// killed, so that none can see another's death and report it.
void Supervisor::end_at_once() {
  signal_descendants({SIGSTOP});
  signal_descendants({SIGSTOP});  // also the processes that were being forked during the first pass
  while (reap()) {
    signal_descendants({SIGKILL});
    (void)wait_signal(Millis(10));
  }
}

void Supervisor::write_exit(std::string_view cause) const {
  auto exit = Json::object().set("cause", cause);
  if (script_status_ && WIFEXITED(*script_status_)) exit.set("exit_code", WEXITSTATUS(*script_status_));
  if (script_status_ && WIFSIGNALED(*script_status_)) exit.set("signal", WTERMSIG(*script_status_));
  if (!std::filesystem::exists(paths_.directory)) return;
  if (auto written = write_file(paths_.exit(), exit.dump()); !written.ok())
    log_error("{}", written.error().message);
}

}  // namespace

int run_instance_supervisor(std::span<const std::string> args) {
  if (args.size() != 1) {
    log_error("{} takes one argument, the instance's directory", kSupervisorSubcommand);
    return 2;
  }
  const InstancePaths paths{args[0]};
  auto instance = load_instance(paths.record());
  if (!instance.ok()) {
    log_error("{}", instance.error().message);
    return 1;
  }
  umask(0022);
  return Supervisor(paths, *std::move(instance)).run();
}

}  // namespace drover::localcloud
