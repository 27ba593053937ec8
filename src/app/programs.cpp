#include "drover/app/programs.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <iostream>
#include <optional>

#include <fmt/format.h>
#include <unistd.h>

#include "drover/artifacts/directory_store.hpp"
#include "drover/base/address.hpp"
#include "drover/base/clock.hpp"
#include "drover/base/secret.hpp"
#include "drover/core/fleet.hpp"
#include "drover/localcloud/local_cloud.hpp"
#include "drover/net/curl_client.hpp"

#include "parts.hpp"

namespace drover::app {
namespace {

// What one check found. No remedy: it is well.
struct Finding {
  std::string text;
  std::string remedy;
};

// Prints a line a check and remembers whether any failed.
class Report {
 public:
  bool add(const char* name, const Finding& finding) {
    const bool well = finding.remedy.empty();
    std::string text = finding.text;  // libpq's messages have several lines
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
    std::cout << fmt::format("{:<5} {:<12} {}\n", well ? "ok" : "FAIL", name, text);
    if (!well) std::cout << fmt::format("{:<5} {:<12} {}\n", "", "", finding.remedy);
    failed_ |= !well;
    return well;
  }
  [[nodiscard]] int status() const { return failed_ ? 1 : 0; }

 private:
  bool failed_ = false;
};

bool names_this_machine(const std::string& url) {
  return url.find("//127.") != std::string::npos || url.find("//localhost") != std::string::npos ||
         url.find("//[::1]") != std::string::npos;
}

Finding check_worker_url(const Settings& settings) {
  const std::string& url = settings.worker.url;
  const bool here = names_this_machine(url);
  const bool cloud_here = settings.cloud.provider == "none" || names_this_machine(settings.cloud.endpoint);
  if (here && !cloud_here) {
    return {fmt::format("{} reaches only this machine", url),
            "set worker.url to an address of this machine that instances can reach"};
  }
  return {url, ""};
}

Finding check_store(ports::Store& store) {
  if (const Status reached = store.ping(); !reached.ok()) {
    return {describe(reached.error()),
            "check store.conninfo, and that PostgreSQL runs: psql \"<conninfo>\" must work"};
  }
  return {"PostgreSQL answers", ""};
}

// Whether this daemon could lead: the server keeps what it commits, and the schema is the right one.
Finding check_schema(ports::Store& store) {
  const auto session = store.lead();
  if (session.ok()) return {"the schema is this version's, and commits are durable", ""};
  if (session.error().message.find("another daemon leads") != std::string::npos) {
    return {"the schema is this version's, and a daemon leads at this moment", ""};
  }
  return {describe(session.error()),
          "a missing schema: run `drover migrate`; fsync or full_page_writes off: turn them on"};
}

Finding check_artifacts(const Settings& settings) {
  const std::string& directory = settings.artifacts.directory;
  const auto store = artifacts::DirectoryStore::open(directory);
  if (!store.ok()) {
    return {store.error().message, fmt::format("make {} and give it to the daemon's user", directory)};
  }
  const std::string probe = fmt::format("{}/doctor-{}", (*store)->spool_directory(), random_token());
  std::FILE* file = std::fopen(probe.c_str(), "wx");
  const bool written = file != nullptr && std::fputs("x", file) >= 0;
  const bool closed = file != nullptr && std::fclose(file) == 0;
  (void)std::remove(probe.c_str());
  if (!written || !closed)
    return {fmt::format("{} cannot be written", directory), "check its owner and free space"};
  if (::access((directory + "/deployment").c_str(), F_OK) != 0) {
    return {fmt::format("{} can be written; the first daemon will mark it as its own", directory), ""};
  }
  return {fmt::format("{} can be written and bears a deployment's mark", directory), ""};
}

void check_cloud(const Settings& settings, Report& report) {
  if (settings.cloud.provider == "none") {
    report.add("cloud", {"none: workers come by themselves", ""});
    return;
  }
  net::CurlHttpClient http;
  const SystemClock clock;
  const auto parts = make_cloud(settings, http, clock);
  if (!parts.ok()) {
    report.add("cloud", {parts.error().message, "see the section [cloud] of the configuration"});
    return;
  }
  if (const auto credentials = parts->credentials->get(); !credentials.ok()) {
    report.add(
        "credentials",
        {credentials.error().message,
         "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, cloud.profile, or give the instance a role"});
    return;
  }
  report.add("credentials", {"found", ""});
  const auto listed = parts->cloud->list_by_tag(std::string(core::kDeploymentTag), "doctor");
  report.add(
      "cloud",
      listed.ok()
          ? Finding{"DescribeInstances is answered", ""}
          : Finding{listed.error().message,
                    "check the network and that the policy allows ec2:DescribeInstances, RunInstances, "
                    "TerminateInstances and CreateTags"});
}

}  // namespace

int migrate(const Settings& settings) {
  const auto applied = make_store(settings)->migrate();
  if (!applied.ok()) {
    std::cerr << "drover: " << describe(applied.error()) << "\n";
    return 1;
  }
  std::cout << (*applied == 0 ? std::string("the schema is up to date")
                              : fmt::format("{} migrations applied; the schema is up to date", *applied))
            << "\n";
  return 0;
}

int doctor(const std::string& path) {
  Report report;
  const auto settings = load_settings(path);
  if (!report.add("config", settings.ok() ? Finding{path, ""}
                                          : Finding{settings.error().message,
                                                    "config/drover.toml explains every setting"})) {
    return report.status();
  }
  report.add("worker.url", check_worker_url(*settings));
  const auto store = make_store(*settings);
  if (report.add("database", check_store(*store))) report.add("schema", check_schema(*store));
  report.add("artifacts", check_artifacts(*settings));
  check_cloud(*settings, report);
  return report.status();
}

int local_cloud(const cli::LocalCloudCommand& command) {
  const auto listen = parse_listen(command.listen);
  const auto control = parse_listen(command.control);
  if (!listen || !control) {
    std::cerr << "drover: --listen and --control are numeric ADDRESS:PORT\n";
    return 2;
  }
  localcloud::LocalCloudOptions options;
  options.address = listen->host;
  options.port = listen->port;
  options.control_address = control->host;
  options.control_port = control->port;
  options.data_dir = command.data;
  options.region = command.region;
  options.access_key = command.access_key;
  options.secret_key = Secret(command.secret_key);
  options.terminate_on_exit = command.terminate_on_exit;
  return localcloud::run_local_cloud(options, [](const localcloud::LocalCloud& cloud) {
    std::cout << localcloud::ready_line(cloud) << std::endl;
  });
}

}  // namespace drover::app
