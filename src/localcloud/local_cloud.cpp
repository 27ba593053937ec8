#include "drover/localcloud/local_cloud.hpp"

#include <csignal>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "drover/base/json.hpp"
#include "drover/base/log.hpp"
#include "drover/http/hosts.hpp"
#include "drover/http/problem.hpp"
#include "drover/http/router.hpp"
#include "drover/transport/server.hpp"

#include "control.hpp"
#include "ec2_endpoint.hpp"
#include "ec2_service.hpp"
#include "event_loop.hpp"
#include "faults.hpp"
#include "fleet.hpp"

namespace drover::localcloud {

namespace {

constexpr Millis kStopGrace{1000};
constexpr int kServerThreads = 2;

bool is_loopback(const std::string& address) {
  return address == "::1" || address.starts_with("127.");
}

std::string url(const std::string& address, std::uint16_t port) {
  const auto host = address.find(':') == std::string::npos ? address : "[" + address + "]";
  return "http://" + host + ":" + std::to_string(port);
}

LocalCloudOptions complete(LocalCloudOptions options) {
  if (options.supervisor_argv.empty()) options.supervisor_argv = default_supervisor_argv();
  std::error_code ignored;
  // Supervisors have another working directory.
  const auto absolute = std::filesystem::absolute(options.data_dir, ignored);
  if (!options.data_dir.empty()) options.data_dir = absolute.lexically_normal().string();
  return options;
}

Status check(const LocalCloudOptions& options) {
  if (options.data_dir.empty()) return invalid("data_dir", "a data directory is required");
  if (options.region.empty()) return invalid("region", "a region is required");
  if (options.access_key.empty()) return invalid("access_key", "an access key is required");
  if (options.secret_key.empty()) return invalid("secret_key", "a secret key is required");
  if (options.max_instances < 1) return invalid("max_instances", "at least one instance must be allowed");
  if (!is_loopback(options.address)) {
    return invalid("address",
                   "the endpoint runs programs on this machine, so it listens on a loopback address only");
  }
  if (!is_loopback(options.control_address)) {
    return invalid("control_address",
                   "the control interface asks for no password, so it listens on loopback only");
  }
  return Ok{};
}

// Every client of the control port may end machines, so a page in a browser must not reach it.
std::optional<http::Response> refuse_pages(const http::Request& head) {
  static const http::ServedHosts hosts;
  if (auto refusal = hosts.refusal(head, "none can be set for the control port")) return refusal;
  if (const Status origin = http::check_origin(head); !origin.ok()) return http::problem(origin.error());
  return std::nullopt;
}

}  // namespace

std::vector<std::string> default_supervisor_argv() {
  return {"/proc/self/exe", kSupervisorSubcommand};
}

struct LocalCloud::Impl {
  explicit Impl(LocalCloudOptions given)
      : options(complete(std::move(given))),
        faults(options.throttle),
        fleet(options, loop, faults),
        service(options, fleet, faults),
        endpoint(options, service, faults, loop) {
    add_control_routes(control, fleet, faults);
  }
  ~Impl() {
    stop();
    if (lock >= 0) close(lock);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Status take_directory();
  Status serve();
  // The loop stops first, since its tasks use the fleet and the servers' replies.
  void stop() {
    loop.stop();
    if (endpoint_server) endpoint_server->stop(kStopGrace);
    if (control_server) control_server->stop(kStopGrace);
  }

  const LocalCloudOptions options;
  int lock = -1;
  EventLoop loop;
  Faults faults;
  Fleet fleet;
  Ec2Service service;
  Ec2Endpoint endpoint;
  http::Router control{{}, refuse_pages};
  std::unique_ptr<transport::Server> endpoint_server;
  std::unique_ptr<transport::Server> control_server;
};

Status LocalCloud::Impl::take_directory() {
  std::error_code failed;
  std::filesystem::create_directories(options.data_dir, failed);
  if (failed) return invalid("data_dir", "cannot make " + options.data_dir + ": " + failed.message());
  const auto path = options.data_dir + "/lock";
  lock = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return invalid("data_dir", "cannot write in " + options.data_dir);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    return Error{Errc::conflict, "another local cloud uses " + options.data_dir, "data_dir"};
  }
  return Ok{};
}

Status LocalCloud::Impl::serve() {
  transport::ServerOptions listen;
  listen.threads = kServerThreads;
  listen.spool_directory = options.data_dir;
  listen.address = options.address;
  listen.port = options.port;
  listen.server_name = "AmazonEC2";
  endpoint_server = transport::make_beast_server(listen, endpoint);
  if (auto started = endpoint_server->start(); !started.ok()) return started;
  listen.address = options.control_address;
  listen.port = options.control_port;
  listen.server_name = "drover-localcloud";
  control_server = transport::make_beast_server(listen, control);
  return control_server->start();
}

LocalCloud::LocalCloud(LocalCloudOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

LocalCloud::~LocalCloud() = default;

Status LocalCloud::start() {
  if (auto sound = check(impl_->options); !sound.ok()) return sound;
  if (auto taken = impl_->take_directory(); !taken.ok()) return taken;
  if (auto started = impl_->loop.start(); !started.ok()) return started;
  if (auto opened = impl_->fleet.open(); !opened.ok()) return opened;
  return impl_->serve();
}

void LocalCloud::stop() {
  impl_->stop();
}

Status LocalCloud::terminate_all(Millis wait) {
  return impl_->fleet.terminate_all(wait);
}

std::uint16_t LocalCloud::port() const {
  return impl_->endpoint_server ? impl_->endpoint_server->port() : 0;
}

std::uint16_t LocalCloud::control_port() const {
  return impl_->control_server ? impl_->control_server->port() : 0;
}

std::string LocalCloud::endpoint() const {
  return url(impl_->options.address, port());
}

std::string LocalCloud::control() const {
  return url(impl_->options.control_address, control_port());
}

std::string ready_line(const LocalCloud& cloud) {
  return Json::object().set("endpoint", cloud.endpoint()).set("control", cloud.control()).dump();
}

int run_local_cloud(const LocalCloudOptions& options, const std::function<void(const LocalCloud&)>& ready) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  // Before any thread: they inherit the mask, and the signal waits for sigwait.
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  LocalCloud cloud(options);
  if (auto started = cloud.start(); !started.ok()) {
    log_error("the local cloud cannot start: {}", started.error().message);
    return 1;
  }
  ready(cloud);
  int number = 0;
  sigwait(&signals, &number);
  int status = 0;
  if (options.terminate_on_exit) {
    if (auto ended = cloud.terminate_all(options.shutdown_grace + Seconds(15)); !ended.ok()) {
      log_error("{}", ended.error().message);
      status = 1;
    }
  }
  cloud.stop();
  return status;
}

}  // namespace drover::localcloud
