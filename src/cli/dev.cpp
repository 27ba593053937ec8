#include "drover/cli/dev.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "drover/base/address.hpp"
#include "drover/base/json.hpp"
#include "drover/base/secret.hpp"
#include "drover/base/text.hpp"
#include "drover/cli/client.hpp"
#include "drover/cli/demo.hpp"

#include "child.hpp"
#include "dev_directory.hpp"
#include "private_postgres.hpp"

namespace drover::cli {
namespace {

constexpr Millis kReadyLimit{60'000};
constexpr Millis kStep{100};
constexpr Millis kStopGrace{20'000};
constexpr int kRestarts = 5;  // of one program within kRestartWindow
constexpr Seconds kRestartWindow{60};
constexpr const char* kAccessKey = "local";

void say(const std::string& text) {
  std::cout << text << std::endl;
}

// A TOML string; JSON's escapes are TOML's.
std::string toml_string(std::string_view text) {
  std::string out;
  write_json_string(text, out);
  return out;
}

sigset_t watched_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals, signal);
  return signals;
}

// Counts how often something was restarted lately.
class RestartLimit {
 public:
  bool exceeded() {
    const auto now = std::chrono::steady_clock::now();
    times_.push_back(now);
    std::erase_if(times_, [&](auto time) { return now - time > kRestartWindow; });
    return times_.size() > kRestarts;
  }

 private:
  std::vector<std::chrono::steady_clock::time_point> times_;
};

class Dev {
 public:
  Dev(const DevCommand& command, ports::HttpClient& http, DevDirectory directory, ListenAddress address)
      : command_(command), http_(http), directory_(std::move(directory)), address_(std::move(address)) {
    std::error_code ignored;
    binary_ = std::filesystem::read_symlink("/proc/self/exe", ignored).string();
  }

  int run() {
    const Status started = start();
    int status = 0;
    if (!started.ok()) {
      if (!stop_) std::cerr << "drover dev: " << started.error().message << std::endl;
      status = stop_ ? 130 : 1;
    } else if (command_.demo) {
      status = demonstrate();
    } else {
      welcome();
      status = supervise([] { return false; }) ? 0 : 1;
      say("\nStopping");
    }
    stop_all();
    if (status != 0 && !stop_ && command_.demo) {
      directory_.keep();
      say(fmt::format("The logs are kept in {}/log", directory_.path()));
    }
    return stop_ && command_.demo ? 130 : status;
  }

 private:
  [[nodiscard]] std::string log(const char* name) const {
    return fmt::format("{}/log/{}.log", directory_.path(), name);
  }
  [[nodiscard]] std::string config() const { return directory_.path() + "/drover.toml"; }

  // True once a signal has asked for the end. Waits at most `limit` for one.
  bool stopping(Millis limit) {
    const sigset_t signals = watched_signals();
    const timespec time{limit.count() / 1000, (limit.count() % 1000) * 1'000'000};
    if (::sigtimedwait(&signals, nullptr, &time) > 0) stop_ = true;
    return stop_;
  }

  Status start() {
    const Error stopped = unavailable("stopped");
    say(fmt::format("Data      {}", directory_.path()));
    auto postgres = PrivatePostgres::open(directory_.path());
    if (!postgres.ok()) return postgres.error();
    postgres_.emplace(std::move(*postgres));
    if (stopping(Millis{0})) return stopped;
    if (Status started = postgres_->start(); !started.ok()) return started;
    say("Database  ready");
    // A local cloud that a killed `drover dev` left behind may still be ending its instances, and hold the
    // directory.
    const auto until = std::chrono::steady_clock::now() + kStopGrace;
    Status cloud = start_cloud();
    while (!cloud.ok() && std::chrono::steady_clock::now() < until && !stopping(kStep)) cloud = start_cloud();
    if (!cloud.ok()) return cloud;
    say(fmt::format("Cloud     {} (control {})", endpoint_, control_));
    if (Status written = write_private_file(config(), config_text()); !written.ok()) return written;
    if (Status started = start_daemon(); !started.ok()) return started;
    if (Status ready = wait_ready(); !ready.ok()) return ready;
    say(fmt::format("Daemon    {}", url_));
    return directory_.fresh() ? make_brisk() : Ok{};
  }

  [[nodiscard]] std::string config_text() const {
    return fmt::format(
        "# Written by `drover dev` at each start.\n"
        "[server]\nlisten = {}\n[store]\nconninfo = {}\n[worker]\nurl = {}\n[artifacts]\ndirectory = {}\n"
        "[cloud]\nprovider = \"ec2\"\nregion = \"us-east-1\"\nendpoint = {}\naccess_key = {}\nsecret_key = "
        "{}\n"
        "[[pool]]\nname = \"default\"\nqueues = [\"default\"]\nmin = 0\nmax = 4\nslots = 2\nidle_timeout_s = "
        "60\n"
        "instance_types = [\"local.small\"]\nimage = \"ami-local\"\n",
        toml_string(url_.substr(std::string_view("http://").size())), toml_string(postgres_->conninfo()),
        toml_string(url_), toml_string(directory_.path() + "/artifacts"), toml_string(endpoint_),
        toml_string(kAccessKey), toml_string(secret_));
  }

  Status start_cloud() {
    // After a restart the local cloud must have the address at which the daemon looks for it.
    const auto place = [](const std::string& url) {
      return url.empty() ? std::string("127.0.0.1:0") : url.substr(std::string_view("http://").size());
    };
    ChildSpec spec;
    spec.argv = {binary_,
                 "localcloud",
                 "--data",
                 directory_.path() + "/cloud",
                 "--listen",
                 place(endpoint_),
                 "--control",
                 place(control_),
                 "--access-key",
                 kAccessKey,
                 "--terminate-on-exit"};
    spec.env = {{"DROVER_LOCALCLOUD_SECRET_KEY", secret_}};
    spec.log_file = log("cloud");
    spec.capture_stdout = true;
    spec.death_signal = SIGTERM;
    auto cloud = Child::start(spec);
    if (!cloud.ok()) return cloud.error();
    const auto line = cloud->read_line(kReadyLimit);
    const auto ready = line.ok() ? parse_json(*line) : Result<Json>(line.error());
    if (!ready.ok() || ready->find("endpoint") == nullptr || ready->find("control") == nullptr) {
      return unavailable(fmt::format("the local cloud did not start; {} ends with:\n{}", log("cloud"),
                                     log_tail(log("cloud"), 8)));
    }
    endpoint_ = text_of(*ready, "endpoint");
    control_ = text_of(*ready, "control");
    cloud_.emplace(std::move(*cloud));
    return Ok{};
  }

  Status start_daemon() {
    ChildSpec spec;
    spec.argv = {binary_, "serve", "--config", config()};
    spec.log_file = log("drover");
    spec.kept_open = {directory_.lock_descriptor()};
    spec.death_signal = SIGTERM;
    auto daemon = Child::start(spec);
    if (!daemon.ok()) return daemon.error();
    daemon_.emplace(std::move(*daemon));
    return Ok{};
  }

  Status wait_ready() {
    const auto until = std::chrono::steady_clock::now() + kReadyLimit;
    ports::HttpRequest request;
    request.url = url_ + "/readyz";
    request.total_timeout = Millis{2000};
    while (std::chrono::steady_clock::now() < until) {
      if (stopping(kStep)) return unavailable("stopped");
      if (const auto ended = daemon_->poll()) {
        return unavailable(fmt::format("the daemon ended at once ({}); {} ends with:\n{}",
                                       describe_status(*ended), log("drover"), log_tail(log("drover"), 8)));
      }
      const auto reply = http_.send(request);
      if (reply.ok() && reply->status == 200) return Ok{};
    }
    return timed_out(fmt::format("the daemon does not become ready; {} ends with:\n{}", log("drover"),
                                 log_tail(log("drover"), 8)));
  }

  // Shortens the intervals of the daemon: the fleet is on this one machine and cheap to look at.
  Status make_brisk() {
    Json body = Json::object();
    body.set("reconcile_interval_s", 2).set("heartbeat_interval_s", 2).set("notice_poll_s", 1);
    const auto answer = ApiClient(http_, url_).send("PATCH", "/config", body);
    if (!answer.ok()) return answer.error();
    return Ok{};
  }

  void welcome() const {
    say(fmt::format(R"text(
Drover is ready. Submit a job and look at it:

    curl -s {0}/jobs -H 'Content-Type: application/json' -d '{{"task": {{"command": "echo hello from $(hostname)"}}}}'
    curl -s '{0}/jobs?limit=1'

What job 1 wrote: curl -s {0}/jobs/1/logs/stdout    All jobs: {1} list{2}
Data and logs lie in {3}. Ctrl-C stops everything; the next start goes on from there.)text",
                    url_, binary_, url_ == kDefaultUrl ? "" : " --url " + url_, directory_.path()));
  }

  // Keeps the three running until a signal comes (true), `done` says so (true) or one of them cannot be kept
  // (false).
  bool supervise(const std::function<bool()>& done) {
    while (!stopping(kStep) && !done()) {
      if (!revive("PostgreSQL", postgres_->poll(), postgres_restarts_,
                  [this] { return postgres_->start(); }) ||
          !revive("the local cloud", cloud_ ? cloud_->poll() : 0, cloud_restarts_,
                  [this] { return start_cloud(); }) ||
          !revive("the daemon", daemon_ ? daemon_->poll() : 0, daemon_restarts_,
                  [this] { return start_daemon(); })) {
        return false;
      }
    }
    return true;
  }

  bool revive(const char* name, std::optional<int> ended, RestartLimit& limit,
              const std::function<Status()>& start) {
    if (!ended) return true;
    say(fmt::format("{} ended ({}); starting it again", name, describe_status(*ended)));
    if (limit.exceeded()) {
      std::cerr << fmt::format("drover dev: {} ends again and again; its log is in {}/log", name,
                               directory_.path())
                << std::endl;
      return false;
    }
    const Status started = start();
    if (!started.ok()) std::cerr << "drover dev: " << started.error().message << std::endl;
    return true;  // a program that did not start counts as ended, and is started again
  }

  int demonstrate() {
    say("");
    std::atomic<bool> finished{false};
    std::atomic<bool> abandon{false};
    int status = 1;
    // The children die with the thread that starts them, so this one supervises and the demonstration gets
    // another.
    std::thread demo([&] {
      status = run_demo({url_, control_, command_.input}, http_, std::cout, abandon);
      finished = true;
    });
    const bool kept = supervise([&] { return finished.load(); });
    abandon = true;
    demo.join();
    return kept ? status : 1;
  }

  // Ends all instances before the local cloud stops, as the cloud takes spot machines back: their jobs go on
  // at the next start, and nothing is counted against them.
  void reclaim_instances() {
    ApiClient control(http_, control_);
    const auto instances = control.get("/instances");
    if (!instances.ok() || instances->if_array() == nullptr) return;
    for (const Json& instance : *instances->if_array()) {
      const std::string state = text_of(instance, "state");
      if (state != "running" && state != "pending") continue;
      (void)control.send("POST", fmt::format("/instances/{}/kill", text_of(instance, "id")), Json::object());
    }
  }

  void stop_all() {
    if (daemon_) daemon_->stop(SIGTERM, kStopGrace);
    if (cloud_) {
      reclaim_instances();
      cloud_->stop(SIGTERM, kStopGrace);
    }
    if (postgres_) postgres_->stop();
  }

  const DevCommand& command_;
  ports::HttpClient& http_;
  DevDirectory directory_;
  std::string binary_;
  std::string secret_ = random_token();
  std::string endpoint_;
  std::string control_;
  ListenAddress address_;
  std::string url_ = base_url(address_.host, address_.port);
  std::optional<PrivatePostgres> postgres_;
  std::optional<Child> cloud_;
  std::optional<Child> daemon_;
  RestartLimit postgres_restarts_;
  RestartLimit cloud_restarts_;
  RestartLimit daemon_restarts_;
  bool stop_ = false;
};

int complain(const std::string& message, int status) {
  std::cerr << "drover dev: " << message << std::endl;
  return status;
}

}  // namespace

int run_dev(const DevCommand& command, ports::HttpClient& http) {
  const sigset_t signals = watched_signals();
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  const std::string listen = command.demo && !command.listen_given ? "127.0.0.1:0" : command.listen;
  auto address = parse_listen(listen);
  if (!address || !address->loopback) {
    return complain(fmt::format("--listen {} must be a loopback address and a port, such as 127.0.0.1:8080, "
                                "[::1]:8080, or 127.0.0.1:0 for any free port",
                                listen),
                    2);
  }
  // The port is checked before anything is made. If it is taken, that may be by programs that a killed
  // `drover dev` left behind in the same directory, which are about to end: opening the directory waits for
  // them.
  auto port = free_port(*address);
  if (!port.ok() && !DevDirectory::exists(command.data, command.demo))
    return complain(port.error().message, 1);
  std::error_code error;
  DevCommand absolute = command;
  absolute.input = std::filesystem::absolute(command.input, error).string();
  auto directory = DevDirectory::open(command.data, command.demo);
  if (!directory.ok()) return complain(directory.error().message, 1);
  if (!port.ok()) port = free_port(*address);
  if (!port.ok()) return complain(port.error().message, 1);
  address->port = *port;
  return Dev(absolute, http, std::move(*directory), *address).run();
}

}  // namespace drover::cli
