#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "drover/app/programs.hpp"
#include "drover/base/address.hpp"
#include "drover/base/text.hpp"
#include "drover/net/curl_client.hpp"
#include "drover/postgres/inspect.hpp"

#include "doctor_cloud.hpp"
#include "findings.hpp"
#include "parts.hpp"

namespace drover::app {
namespace {

constexpr int kOldestServer = 150000;

bool answers(ports::HttpClient& http, const std::string& url) {
  ports::HttpRequest request;
  request.url = url + "/healthz";
  request.total_timeout = Millis{5000};
  const auto reply = http.send(request);
  return reply.ok() && reply->status == 200;
}

Finding check_worker_url(const Settings& settings, ports::HttpClient& http, bool daemon_runs) {
  const std::string& url = settings.worker.url;
  const bool cloud_here = settings.cloud.provider == "none" || names_this_machine(settings.cloud.endpoint);
  if (names_this_machine(url) && !cloud_here) {
    return failed(fmt::format("{} reaches only this machine", url),
                  "set worker.url to an address of this machine that instances can reach");
  }
  if (answers(http, url)) {
    return names_this_machine(url) ? well(fmt::format("a daemon answers at {}", url))
                                   : unchecked(fmt::format("a daemon answers at {} from here", url),
                                               "whether it does from an instance shows when one has started");
  }
  if (!daemon_runs) {
    return unchecked(fmt::format("nobody answers at {}; no daemon runs that could", url),
                     "run this again once the daemon has started");
  }
  return failed(fmt::format("the daemon runs, but nobody answers at {}", url),
                "set worker.url to where the proxy in front of the daemon listens, and start that proxy");
}

// libpq tells the reason of a refused connection only in the text of its message.
std::string connection_remedy(const std::string& why) {
  struct Cause {
    const char* words;
    const char* remedy;
  };
  static constexpr std::array kCauses{
      Cause{"must be encoded", "encode the password in store.conninfo"},
      Cause{"pg_hba.conf", "let this user in: pg_hba.conf of the server has no entry for it"},
      Cause{"role \"",
            "make the role: sudo -u postgres createuser drover (or name another in store.conninfo)"},
      Cause{"database \"", "make the database: sudo -u postgres createdb -O drover drover"},
      Cause{"Peer authentication",
            "run this as the user that the daemon runs as: sudo -u drover drover doctor"},
      Cause{"password authentication", "correct the password in store.conninfo"},
      Cause{"no password supplied", "give store.conninfo a password, or the daemon's user a ~/.pgpass"},
      Cause{"host name", "correct the host in store.conninfo"},
      Cause{"not one that libpq understands",
            "write store.conninfo as \"host=… dbname=…\" or "
            "\"postgresql://user@host/database\""},
  };
  for (const Cause& cause : kCauses) {
    if (why.find(cause.words) != std::string::npos) return cause.remedy;
  }
  return "start PostgreSQL, or correct host and port in store.conninfo";
}

Finding check_server(const postgres::Inspection& found) {
  const std::string version =
      fmt::format("PostgreSQL {}.{}", found.server_version / 10000, found.server_version % 10000);
  if (found.server_version < kOldestServer)
    return failed(version + " is too old", "install PostgreSQL 15 or later");
  if (found.standby) {
    return failed(version + " answers, but is a standby and takes no changes",
                  "name the primary, or all servers with target_session_attrs=read-write, in store.conninfo");
  }
  return well(version + " answers");
}

Finding check_durability(const postgres::Inspection& found, bool allow_unsafe) {
  if (found.fsync && found.full_page_writes) return well("what is committed outlives a crash");
  const std::string name = found.fsync ? "full_page_writes" : "fsync";
  if (allow_unsafe) return well(fmt::format("{} is off, which store.allow_unsafe accepts", name));
  return failed(fmt::format("PostgreSQL runs with {} = off: a crash can lose jobs that were accepted", name),
                fmt::format("set {} = on in postgresql.conf and reload PostgreSQL", name));
}

Finding check_schema(const postgres::Inspection& found) {
  if (!found.refusal.empty()) {
    return failed(found.refusal,
                  "or name another database in store.conninfo: a daemon makes its schema there");
  }
  const bool complete = found.missing_migrations == 0;
  if (!complete && !found.may_create && !found.standby) {
    return failed(
        "this user may not make tables in the database, and the schema is not there or not complete",
        "make it the database's owner: ALTER DATABASE … OWNER TO …");
  }
  if (!found.missing_migrations) return well("none yet: the daemon makes it at its first start");
  if (!complete) {
    return well(fmt::format("{} migrations older than this version: the daemon applies them at its start",
                            *found.missing_migrations));
  }
  return well(found.led ? "this version's; a daemon leads at this moment"
                        : "this version's; no daemon leads");
}

std::optional<postgres::Inspection> check_store(const Settings& settings, Report& report) {
  auto found = postgres::inspect(pg_options(settings));
  if (!found.ok()) {
    const std::string why = describe(found.error());
    if (why.find("permission denied") != std::string::npos) {
      report.add("database", failed(why,
                                    "the tables are another user's: run this as the daemon's user, or make "
                                    "it their owner (REASSIGN OWNED BY … TO …)"));
    } else {
      report.add("database", failed(why, connection_remedy(why)));
    }
    return std::nullopt;
  }
  report.add("database", check_server(*found));
  report.add("durability", check_durability(*found, settings.store.allow_unsafe));
  report.add("schema", check_schema(*found));
  return std::move(*found);
}

// A directory that is not there yet.
Finding check_missing_directory(const std::string& directory) {
  const std::string parent = std::filesystem::path(directory).parent_path();
  struct stat info {};
  if (::stat(parent.c_str(), &info) != 0) {
    // The unit's StateDirectory.
    if (parent == "/var/lib/drover")
      return well(
          fmt::format("{} is not there yet: the unit and the daemon make it at the first start", directory));
    return failed(fmt::format("neither {} nor the directory above it is there", directory),
                  fmt::format("make {} and give it to the daemon's user", parent));
  }
  if (!S_ISDIR(info.st_mode) || ::access(parent.c_str(), W_OK | X_OK) != 0) {
    return failed(fmt::format("{} is not there, and this user cannot make it in {}", directory, parent),
                  fmt::format("make {} and give it to the daemon's user", directory));
  }
  return well(fmt::format("{} is not there yet: the daemon makes it at its first start", directory));
}

// The mark of the deployment whose bytes lie there; empty: none does.
std::string mark_of(const std::string& directory) {
  std::ifstream in(directory + "/deployment");
  std::string mark;
  std::getline(in, mark);
  return std::string(trim(mark));
}

Finding check_mark(const std::string& directory, const std::optional<postgres::Inspection>& store) {
  const std::string mark = mark_of(directory);
  const bool known = store && store->deployment;
  if (mark.empty() && ::access((directory + "/jobs").c_str(), F_OK) == 0) {
    return failed(fmt::format("{} holds files of jobs and no mark of whose they are", directory),
                  "put back the file \"deployment\" from a backup, or name an empty directory");
  }
  if (mark.empty())
    return well(fmt::format("{} can be written; the first daemon marks it as its own", directory));
  // With an older schema the deployment is not known: a daemon brings the schema up to date first.
  const bool none = store && !known && store->refusal.empty() && store->missing_migrations.value_or(0) == 0;
  if (none) {
    return failed(
        fmt::format("{} bears the mark of a deployment, and the database holds none", directory),
        "name the database that belongs to this directory in store.conninfo, or an empty directory");
  }
  if (known && mark != to_string(*store->deployment)) {
    return failed(fmt::format("{} bears the mark of another deployment than the database", directory),
                  "name the directory that belongs to this database in artifacts.directory, or an empty one");
  }
  return well(fmt::format("{} can be written, and bears {}", directory,
                          known ? "this database's mark" : "a deployment's mark"));
}

Finding check_artifacts(const Settings& settings, const std::optional<postgres::Inspection>& store) {
  const std::string& directory = settings.artifacts.directory;
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) {
    if (errno == ENOENT) return check_missing_directory(directory);
    return failed(fmt::format("{}: {}", directory, std::strerror(errno)),
                  "let the daemon's user enter the directories above it, or run this as that user");
  }
  if (!S_ISDIR(info.st_mode))
    return failed(fmt::format("{} is no directory", directory), "name a directory in artifacts.directory");
  struct statvfs space {};
  if (::statvfs(directory.c_str(), &space) == 0 && (space.f_flag & ST_RDONLY) != 0)
    return failed(fmt::format("{} is mounted read-only", directory), "mount it writable");
  for (const char* part : {"", "/spool", "/jobs"}) {
    const std::string path = directory + part;
    if (::access(path.c_str(), F_OK) != 0 || ::access(path.c_str(), W_OK | X_OK) == 0) continue;
    return failed(fmt::format("{} cannot be written by this user", path),
                  "run this as the daemon's user, or give the directory to it: chown -R");
  }
  if (space.f_bavail == 0 && space.f_blocks != 0)
    return failed(fmt::format("the disk of {} is full", directory), "make room on it");
  return check_mark(directory, store);
}

int conclude(const Report& report, const std::string& config, bool daemon_runs) {
  const std::string given = config == cli::kDefaultConfig ? "" : " --config " + config;
  if (report.failures() > 0) {
    std::cout << fmt::format("\n{} to mend. Then: drover doctor{}\n", report.failures(), given);
    return 1;
  }
  if (daemon_runs) {
    std::cout << "\nAll is well, and a daemon runs. Next: drover status\n";
  } else if (given.empty()) {
    std::cout << "\nAll is well. Next: sudo systemctl enable --now drover\n";
  } else {
    std::cout << fmt::format("\nAll is well. Next: drover serve{}\n", given);
  }
  return 0;
}

}  // namespace

int doctor(const cli::DoctorCommand& command) {
  if (command.policy) {
    std::cout << iam_policy();
    return 0;
  }
  Report report;
  const auto settings = load_settings(command.config);
  if (!report.add("config", settings.ok() ? well(command.config)
                                          : failed(settings.error().message,
                                                   "config/drover.toml explains every "
                                                   "setting"))) {
    return conclude(report, command.config, false);
  }
  if (::geteuid() == 0) {
    report.add("user", unchecked("run by root, who may do what the daemon's user perhaps may not",
                                 "run it as that user: sudo -u drover drover doctor"));
  }
  net::CurlHttpClient http;
  const bool daemon_runs =
      settings->server.port != 0 && answers(http, base_url(settings->server.address, settings->server.port));
  const auto store = check_store(*settings, report);
  report.add("artifacts", check_artifacts(*settings, store));
  report.add("worker.url", check_worker_url(*settings, http, daemon_runs));
  check_cloud(*settings, store, http, report);
  return conclude(report, command.config, daemon_runs);
}

}  // namespace drover::app
