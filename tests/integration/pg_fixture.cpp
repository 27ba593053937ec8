#include "pg_fixture.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "patience.hpp"

namespace drover::testing {
namespace {

namespace fs = std::filesystem;

std::string bin(const std::string& program) {
  for (const char* version : {"17", "16", "15"}) {
    const std::string path = std::string("/usr/lib/postgresql/") + version + "/bin/" + program;
    if (fs::exists(path)) return path;
  }
  return program;
}

int spawn(const std::vector<std::string>& command, const std::string& log) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const int pid = ::fork();
  if (pid != 0) return pid;
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  if (::chdir("/tmp") == 0) ::execvp(argv[0], argv.data());
  ::_exit(127);
}

// Not even as a zombie that nobody has waited for yet.
bool runs(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string id, name, state;
  return static_cast<bool>(file >> id >> name >> state) && state != "Z" && state != "X";
}

using Session = std::unique_ptr<PGconn, decltype(&PQfinish)>;

Session connect(const std::string& conninfo) {
  return {PQconnectdb(conninfo.c_str()), &PQfinish};
}

}  // namespace

PgCluster& PgCluster::get() {
  static PgCluster cluster;
  return cluster;
}

PgCluster::PgCluster() : root_(::geteuid() == 0) {
  char name[] = "/tmp/drover-pg-XXXXXX";
  if (::mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp failed");
  directory_ = name;
  user_ = ::getpwuid(::geteuid())->pw_name;
  ::chmod(name, 0755);
  if (root_) {
    const passwd* owner = ::getpwnam("postgres");
    if (owner == nullptr || ::chown(name, owner->pw_uid, owner->pw_gid) != 0) {
      throw std::runtime_error("PostgreSQL refuses to run as root, and there is no user postgres");
    }
  }
  run(as_owner({bin("initdb"), "-N", "-U", user_, "-A", "peer", "-E", "UTF8", "--locale=C", "-D",
                directory_ + "/data"}));
  start();
}

PgCluster::~PgCluster() {
  if (pid_ > 0) {
    ::kill(pid_, SIGQUIT);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

std::vector<std::string> PgCluster::as_owner(std::vector<std::string> command) const {
  if (!root_) return command;
  std::vector<std::string> out{"setpriv",       "--reuid",     "postgres", "--regid", "postgres",
                               "--init-groups", "--pdeathsig", "INT",      "--"};
  out.insert(out.end(), command.begin(), command.end());
  return out;
}

void PgCluster::run(const std::vector<std::string>& command) const {
  int status = 0;
  const int pid = spawn(command, directory_ + "/log");
  if (pid < 0 || ::waitpid(pid, &status, 0) != pid || status != 0)
    throw std::runtime_error("failed: " + command.back());
}

void PgCluster::start() {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  const std::vector<std::string> command =
      as_owner({bin("postgres"), "-D", directory_ + "/data", "-k", directory_, "-c",
                "listen_addresses=", "-c", "max_connections=50", "-c", "recovery_init_sync_method=syncfs"});
  pid_ = spawn(command, directory_ + "/log");
  while (std::chrono::steady_clock::now() < until) {
    // After a crash the first start may meet the lock file of the server that was killed.
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = spawn(command, directory_ + "/log");
    if (PQping(conninfo("postgres").c_str()) == PQPING_OK) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  throw std::runtime_error("PostgreSQL did not start");
}

void PgCluster::crash() {
  const std::string task = std::to_string(pid_);
  std::ifstream children("/proc/" + task + "/task/" + task + "/children");
  std::vector<int> backends;
  for (int child = 0; children >> child;) backends.push_back(child);
  ::kill(pid_, SIGKILL);
  for (const int backend : backends) ::kill(backend, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
  for (const int backend : backends) {
    while (runs(backend)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

std::string PgCluster::conninfo(const std::string& database) const {
  return "host=" + directory_ + " dbname=" + database + " user=" + user_;
}

std::string PgCluster::create_database(bool migrated) {
  if (migrated && !template_made_) {
    template_made_ = true;
    query(conninfo("postgres"), "CREATE DATABASE pattern");
    postgres::PgOptions options;
    options.conninfo = Secret(conninfo("pattern"));
    const auto done = postgres::make_pg_store(options)->migrate();
    if (!done.ok()) throw std::runtime_error(done.error().message);
  }
  const std::string name = "d" + std::to_string(databases_++);
  query(conninfo("postgres"), "CREATE DATABASE " + name + (migrated ? " TEMPLATE pattern" : ""));
  return conninfo(name);
}

std::vector<std::string> PgCluster::query(const std::string& where, const std::string& sql) {
  const Session session = connect(where);
  std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(session.get(), sql.c_str()), &PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    ADD_FAILURE() << sql << ": " << PQerrorMessage(session.get());
    return {};
  }
  std::vector<std::string> out;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    std::string line;
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      if (column > 0) line += '|';
      line += PQgetvalue(result.get(), row, column);
    }
    out.push_back(std::move(line));
  }
  return out;
}

}  // namespace drover::testing
