#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <unistd.h>

#include "drover/api/api.hpp"
#include "drover/app/programs.hpp"
#include "drover/artifacts/directory_store.hpp"
#include "drover/base/address.hpp"
#include "drover/base/clock.hpp"
#include "drover/base/log.hpp"
#include "drover/base/thread_name.hpp"
#include "drover/engine/engine.hpp"
#include "drover/http/hosts.hpp"
#include "drover/http/router.hpp"
#include "drover/metrics/prometheus_metrics.hpp"
#include "drover/net/curl_client.hpp"
#include "drover/reconcile/reconciler.hpp"
#include "drover/transport/server.hpp"
#include "drover/worker/worker.hpp"

#include "configured_pools.hpp"
#include "descriptors.hpp"
#include "parts.hpp"
#include "systemd.hpp"

namespace drover::app {
namespace {

constexpr Millis kStep{250};  // of the main thread's loop
constexpr Millis kMigrateRetry{1000};
constexpr Millis kStopGrace{5000};       // for requests in flight, once the engine has answered its own
constexpr Seconds kEngineSilence{60};    // an engine whose threads made no round for this long is stuck
constexpr Seconds kReconcileSlack{150};  // beyond its interval: calls of the cloud, with their repeats

void block(std::initializer_list<int> signals) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : signals) ::sigaddset(&set, signal);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

// The next of these signals, waited for at most `limit`; 0: none came.
int next_signal(std::initializer_list<int> signals, Millis limit) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : signals) ::sigaddset(&set, signal);
  const timespec time{limit.count() / 1000, (limit.count() % 1000) * 1'000'000};
  return std::max(0, ::sigtimedwait(&set, nullptr, &time));
}

Result<Settings> read_settings(const cli::ServeCommand& command) {
  auto settings = load_settings(command.config);
  if (!settings.ok()) return settings;
  if (const auto given = transport::parse_transport(command.http_transport))
    settings->server.transport = *given;
  return settings;
}

std::string hostname() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

transport::ServerOptions server_options(const Settings& settings, const std::string& spool) {
  transport::ServerOptions options;
  options.address = settings.server.address;
  options.port = settings.server.port;
  options.threads = settings.server.threads;
  options.spool_directory = spool;
  options.max_header_bytes = static_cast<std::size_t>(settings.server.max_header_bytes);
  options.max_connections = static_cast<std::size_t>(allowed_connections(
      settings.server.max_connections, settings.store.read_connections + kKeptConnections));
  options.header_time = Seconds{settings.server.header_time_s};
  options.body_time = Seconds{settings.server.body_time_s};
  options.idle_time = Seconds{settings.server.idle_time_s};
  options.write_time = Seconds{settings.server.write_time_s};
  return options;
}

// Clients may send any method. As labels of a metric they would make series without bound.
std::string_view bounded_method(std::string_view method) {
  for (const std::string_view known : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    if (method == known) return known;
  }
  return "other";
}

void count_request(ports::Metrics& metrics, const http::Access& access) {
  const std::string status = std::to_string(access.status);
  if (log_enabled(LogLevel::debug)) {
    log_line(LogLevel::debug, fmt::format("{} {}", access.method, access.path),
             {{"status", status},
              {"seconds", fmt::format("{:.6f}", access.seconds)},
              {"request_id", std::string(access.request_id)}});
  }
  metrics.add("drover_http_requests_total", 1,
              {{"method", bounded_method(access.method)}, {"route", access.route}, {"status", status}});
  metrics.observe("drover_http_request_seconds", access.seconds, {{"route", access.route}});
}

// Requests of people need no token yet, so that a page of another site could make a browser send them. The
// Host name in a request must therefore be one that such a page cannot have.
http::Gate gate(const Settings& settings) {
  std::vector<std::string> names = settings.server.names;
  names.push_back(http::url_host(settings.worker.url));
  return [hosts = http::ServedHosts(names)](const http::Request& head) {
    return hosts.refusal(head, "server.names in the daemon's configuration file");
  };
}

class Daemon {
 public:
  Daemon(const cli::ServeCommand& command, const Settings& settings,
         std::unique_ptr<artifacts::DirectoryStore> artifacts, CloudParts cloud, const Clock& clock)
      : command_(command),
        settings_(settings),
        clock_(clock),
        pools_(settings.pools, clock),
        artifacts_(std::move(artifacts)),
        cloud_(std::move(cloud)),
        store_(make_store(settings)),
        engine_(*store_, clock, metrics_, engine_options()),
        fleet_(engine_, *store_),
        reconciler_(fleet_, *cloud_.cloud, clock, metrics_, reconcile_options()),
        services_(services::make_services(service_parts())),
        router_([this](const http::Access& access) { count_request(metrics_, access); }, gate(settings)),
        server_(transport::make_server(settings.server.transport,
                                       server_options(settings, artifacts_->spool_directory()), router_)) {
    metrics_.describe("drover_http_requests_total", "Requests answered, by method, route and status.");
    metrics_.describe("drover_http_request_seconds", "Time from a request's end to its answer.");
    engine_.on_demand([this] { reconciler_.wake(); });
  }

  int run() {
    api_.emplace(api_deps());
    api_->add_routes(router_);
    if (const Status listening = server_->start(); !listening.ok()) {
      log_error("cannot listen: {}", listening.error().message);
      return 1;
    }
    log_info("drover {} serves {}", DROVER_VERSION, base_url(settings_.server.address, server_->port()));
    migration_ = std::thread([this] {
      name_thread("migrate");
      migrate();
    });
    engine_.start();
    reconciler_.start();
    systemd_.notify("READY=1");
    while (!refused_) {
      const int signal = next_signal({SIGINT, SIGTERM, SIGHUP}, kStep);
      if (signal == SIGINT || signal == SIGTERM) break;
      if (signal == SIGHUP) reload();
      look_after();
    }
    stop();
    return refused_ ? 1 : 0;
  }

 private:
  engine::EngineOptions engine_options() {
    engine::EngineOptions options;
    options.takeover = Seconds{settings_.store.takeover_s};
    options.before_lead = [this]() -> Status {
      if (migrated_) return Ok{};
      return unavailable("the database is out of reach, or its schema is being brought up to date");
    };
    options.may_lead = [this](const Uuid& deployment) { return artifacts_->check_marker(deployment); };
    return options;
  }

  reconcile::ReconcileOptions reconcile_options() {
    reconcile::ReconcileOptions options;
    options.render_user_data = [this](const core::PoolSpec& pool) {
      return worker::render_user_data(settings_.worker.url, pool.slots);
    };
    return options;
  }

  services::ServiceParts service_parts() {
    return {.engine = engine_,
            .reads = *store_,
            .artifacts = *artifacts_,
            .clock = clock_,
            .board = &reconciler_,
            .unready = [this] { return pools_.missing(); }};
  }

  api::ApiDeps api_deps() {
    return {.services = services_,
            .metrics = metrics_,
            .spool_directory = artifacts_->spool_directory(),
            .worker_program = [] { return std::string(worker::worker_program()); },
            .hostname = hostname(),
            .port = [this] { return server_->port(); },
            .version = DROVER_VERSION,
            .read_threads = settings_.store.read_connections,
            .duty_threads = kDutyThreads};
  }

  // On a thread of its own, since the database may be away for long.
  void migrate() {
    std::string said;
    while (!stopping_) {
      const auto applied = store_->migrate();
      if (applied.ok()) {
        if (*applied > 0) log_info("applied {} migrations", *applied);
        make_tables();
        migrated_ = true;
        return;
      }
      const Error& error = applied.error();
      if (error.code == Errc::conflict) {
        log_error("this database cannot be used: {}", error.message);
        refused_ = true;
        return;
      }
      if (std::exchange(said, describe(error)) != describe(error))
        log_warn("the database is not ready: {}", said);
      for (Millis waited{0}; waited < kMigrateRetry && !stopping_; waited += kStep)
        std::this_thread::sleep_for(kStep);
    }
  }

  // Makes the tables of today before this daemon leads: rows written earlier would stay in the table for all
  // days. The engine makes the tables of the following days while it leads.
  void make_tables() {
    const Status made = store_->make_partitions(clock_.wall());
    if (!made.ok()) log_warn("tables for the coming days were not made: {}", made.error().message);
  }

  // One round of the main thread: looks at the engine, and tells the service manager.
  void look_after() {
    const auto view = engine_.shown();
    reconcile_limit_ = Seconds{view->tunables.reconcile_interval_s} * 6 / 5 + kReconcileSlack;
    tell_state(*view);
    if (view->leading) {
      pools_.make(
          [this](core::PoolSpec pool, auto done) {
            services_.pools->create(services::System{}, std::move(pool), std::move(done));
          },
          *view);
    }
    feed_watchdog();
  }

  void tell_state(const engine::EngineView& view) {
    const std::string state = view.leading ? "leading" : "standing by: " + view.standby_reason;
    if (std::exchange(state_, state) == state) return;
    systemd_.notify("STATUS=" + state);
  }

  // Reads the configuration file again and applies what may change while the daemon runs. A file with an
  // error in it changes nothing.
  void reload() {
    const auto now = std::chrono::duration_cast<Micros>(clock_.steady().time_since_epoch());
    systemd_.notify(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.count()));
    const auto read = read_settings(command_);
    if (read.ok()) {
      set_log_level(read->log.level, read->log.json);
      pools_.replace(read->pools);
      log_info("read {} again", command_.config);
      if (const std::string changed = changed_sections(settings_, *read); !changed.empty())
        log_warn("what has changed in {} counts from the next start on", changed);
    } else {
      log_error("the configuration is not taken, and the daemon goes on as it was: {}", read.error().message);
    }
    systemd_.notify("READY=1");
  }

  // Tells the service manager that the loops make progress; otherwise it restarts the daemon. A loop that
  // waits for the database or the cloud makes progress.
  void feed_watchdog() {
    const auto interval = systemd_.watchdog_interval();
    const SteadyTime now = clock_.steady();
    if (!interval || now < fed_ + *interval) return;
    std::string_view stuck;
    const engine::EnginePulse pulse = engine_.pulse();
    if (now - std::max(pulse.engine, started_) > kEngineSilence) {
      stuck = "engine";
    } else if (now - std::max(pulse.writer, started_) > kEngineSilence) {
      stuck = "writer";
    } else if (now - reconciler_.last_progress() > reconcile_limit_) {
      stuck = "reconciler";
    }
    if (!stuck.empty()) {
      if (std::exchange(stuck_, stuck) != stuck)
        log_error("the {} does not get on; the watchdog is not fed any more", stuck);
      return;
    }
    stuck_ = {};
    fed_ = now;
    systemd_.notify("WATCHDOG=1");
  }

  void stop() {
    log_info("stopping");
    systemd_.notify("STOPPING=1");
    stopping_ = true;
    // The engine stops first. It commits and answers what it has taken, ends long polls without jobs, and
    // gives leadership up.
    engine_.stop();
    server_->stop(kStopGrace);
    // A cloud call under way is waited for, but its answer is not stored. The next leader repeats a launch
    // with the same token, and finds in the store what is to be terminated.
    reconciler_.stop();
    api_->stop();
    migration_.join();
    log_info("stopped");
  }

  const cli::ServeCommand& command_;
  const Settings& settings_;
  const Clock& clock_;
  ConfiguredPools pools_;
  const Systemd systemd_;
  metrics::PrometheusMetrics metrics_;
  std::unique_ptr<artifacts::DirectoryStore> artifacts_;
  CloudParts cloud_;
  std::unique_ptr<ports::Store> store_;
  engine::QueueEngine engine_;
  reconcile::EngineFleet fleet_;
  reconcile::Reconciler reconciler_;
  services::Services services_;
  http::Router router_;
  std::optional<api::Api> api_;
  std::unique_ptr<transport::Server> server_;
  std::thread migration_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> migrated_{false};  // until then the engine does not lead
  std::atomic<bool> refused_{false};   // the database must not be touched
  std::string state_;
  SteadyTime fed_;
  const SteadyTime started_ = clock_.steady();
  Seconds reconcile_limit_{300};
  std::string_view stuck_;  // the loop that made no progress at the last look
};

}  // namespace

int serve(const cli::ServeCommand& command) {
  block({SIGINT, SIGTERM, SIGHUP});  // before any thread: the main one alone takes them
  const auto settings = read_settings(command);
  if (!settings.ok()) {
    std::cerr << "drover: " << settings.error().message << "\n";
    return 1;
  }
  set_log_level(settings->log.level, settings->log.json);
  const SystemClock clock;
  net::CurlHttpClient http;
  auto cloud = make_cloud(*settings, http, clock);
  if (!cloud.ok()) {
    log_error("{}", cloud.error().message);
    return 1;
  }
  auto artifacts = artifacts::DirectoryStore::open(settings->artifacts.directory);
  if (!artifacts.ok()) {
    log_error("artifacts.directory: {}", artifacts.error().message);
    return 1;
  }
  return Daemon(command, *settings, std::move(*artifacts), std::move(*cloud), clock).run();
}

}  // namespace drover::app
