#include "migrator.hpp"

#include <thread>

#include <fmt/format.h>

#include "drover/base/failpoint.hpp"
#include "drover/base/ids.hpp"
#include "drover/base/log.hpp"
#include "drover/base/secret.hpp"
#include "drover/base/text.hpp"

namespace drover::postgres {
namespace {

struct Migration {
  int version = 0;
  std::string name;
  std::string sha256;
  std::string_view sql;
};

Result<std::vector<Migration>> known_migrations(std::span<const EmbeddedFile> files);
Status take_lock(Connection& connection);
Result<std::size_t> check_applied(Connection& connection, const std::vector<Migration>& known);
Status apply(Connection& connection, const Migration& migration);

}  // namespace

Result<int> migrate(Connection& connection, std::span<const EmbeddedFile> files) {
  auto known = known_migrations(files);
  if (!known.ok()) return known.error();
  if (auto locked = take_lock(connection); !locked.ok()) return locked.error();
  DROVER_FAILPOINT("migrate.locked");
  if (auto made = connection.run_once("admin_migrations_table"); !made.ok()) return made.error();
  auto applied = check_applied(connection, *known);
  if (!applied.ok()) return applied.error();
  for (std::size_t i = *applied; i < known->size(); ++i) {
    if (auto done = apply(connection, (*known)[i]); !done.ok()) return done.error();
  }
  auto identity = connection.run_once("admin_deployment", Params::of(make_random_uuid(), random_token()));
  if (!identity.ok()) return identity.error();
  DROVER_FAILPOINT("migrate.done");
  return static_cast<int>(known->size() - *applied);
}

Result<int> count_missing(Connection& connection, std::span<const EmbeddedFile> files) {
  auto known = known_migrations(files);
  if (!known.ok()) return known.error();
  auto applied = check_applied(connection, *known);
  if (!applied.ok()) return applied.error();
  return static_cast<int>(known->size() - *applied);
}

namespace {

constexpr Millis kLockPoll{100};
constexpr int kLockPolls = 50;

Result<std::vector<Migration>> known_migrations(std::span<const EmbeddedFile> files) {
  constexpr std::string_view kMigrations = "migrations/";
  std::vector<Migration> out;
  for (const EmbeddedFile& file : files) {
    if (!file.path.starts_with(kMigrations)) continue;
    const std::string_view name = file.path.substr(kMigrations.size());
    const auto version = parse_int(name.substr(0, 4));
    if (version != static_cast<std::int64_t>(out.size()) + 1) {
      return internal(fmt::format("the migrations have a gap before {}", name));
    }
    out.push_back({static_cast<int>(*version), std::string(name), to_hex(sha256(file.text)), file.text});
  }
  return out;
}

// Waits for a while only: a daemon that is told to stop must not wait until another one has migrated.
Status take_lock(Connection& connection) {
  for (int poll = 0;; ++poll) {
    auto free = connection.run_once("admin_migration_try_lock");
    if (!free.ok()) return free.error();
    if ((*free)[0].get<bool>("locked")) return Ok{};
    if (poll == 0) log_info("another daemon migrates the database: waiting for it");
    if (poll == kLockPolls) break;
    std::this_thread::sleep_for(kLockPoll);
  }
  return unavailable("another daemon is still bringing the schema up to date; try again", 1);
}

// How many of `known` are applied.
Result<std::size_t> check_applied(Connection& connection, const std::vector<Migration>& known) {
  auto rows = connection.run_once("admin_migrations_applied");
  if (!rows.ok()) return rows.error();
  const auto applied = static_cast<std::size_t>(rows->size());
  for (std::size_t i = 0; i < applied; ++i) {
    Migration there;
    RowReader row = (*rows)[static_cast<int>(i)];
    row.read("version", there.version).read("name", there.name).read("sha256", there.sha256);
    if (there.version > static_cast<int>(known.size())) {
      return conflict(fmt::format(
          "the database was migrated by a newer version (migration {} {}); this one knows {} migrations: "
          "install the newer version, or restore a backup",
          there.version, there.name, known.size()));
    }
    if (there.version != known[i].version || there.sha256 != known[i].sha256) {
      return conflict(
          fmt::format("migration {} was applied with another text than this version's {}, so it is not "
                      "certain what the schema is: install the version that applied it, or restore "
                      "a backup",
                      there.name, known[i].name));
    }
  }
  return applied;
}

Status apply(Connection& connection, const Migration& migration) {
  log_info("applying migration {}", migration.name);
  if (auto begun = connection.script("BEGIN"); !begun.ok()) return begun.error();
  auto done = connection.script(migration.sql);
  DROVER_FAILPOINT("migrate.run");
  if (done.ok()) {
    done = connection.run_once("admin_migration_record",
                               Params::of(migration.version, migration.name, migration.sha256));
  }
  DROVER_FAILPOINT("migrate.written");
  if (done.ok()) done = connection.script("COMMIT");
  DROVER_FAILPOINT("migrate.committed");
  if (done.ok()) return Ok{};
  if (!connection.broken()) (void)connection.script("ROLLBACK");
  Error error = done.error();
  error.message = fmt::format("migration {} failed: {}", migration.name, error.message);
  return error;
}

}  // namespace

}  // namespace drover::postgres
