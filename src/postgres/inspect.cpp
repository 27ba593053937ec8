#include "drover/postgres/inspect.hpp"

#include "migrator.hpp"
#include "rows.hpp"

namespace drover::postgres {
namespace {

constexpr Millis kReplyTime{15'000};

Status read_schema(Connection& connection, Inspection& found);

}  // namespace

Result<Inspection> inspect(const PgOptions& options) {
  SessionOptions session;
  session.conninfo = options.conninfo;
  session.application_name = "drover doctor";
  session.statement_timeout = options.statement_timeout;
  session.read_only = true;
  session.reply_timeout = kReplyTime;
  auto connection = Connection::open(session);
  if (!connection.ok()) return connection.error();
  auto facts = (*connection)->run_once("admin_inspect");
  if (!facts.ok()) return facts.error();
  Inspection found;
  RowReader row = (*facts)[0];
  row.read("server_version", found.server_version).read("standby", found.standby);
  row.read("fsync", found.fsync).read("full_page_writes", found.full_page_writes);
  row.read("may_create", found.may_create).read("led", found.led);
  if (!row.get<bool>("has_schema")) return found;
  if (Status read = read_schema(**connection, found); !read.ok()) return read.error();
  return found;
}

namespace {

Status read_schema(Connection& connection, Inspection& found) {
  auto missing = count_missing(connection, embedded_files());
  if (!missing.ok() && missing.error().code == Errc::conflict) {
    found.missing_migrations = 0;
    found.refusal = missing.error().message;
    return Ok{};
  }
  if (!missing.ok()) return missing.error();
  found.missing_migrations = *missing;
  if (*missing > 0) return Ok{};
  auto identity = connection.run_once("admin_deployment_id");
  if (!identity.ok()) return identity.error();
  if (!identity->empty()) found.deployment = (*identity)[0].get<Uuid>("id");
  auto pools = connection.run_once("read_pools");
  if (!pools.ok()) return pools.error();
  for (const ports::PoolRow& pool : read_all(*pools, read_pool)) found.pools.push_back(pool.spec);
  return Ok{};
}

}  // namespace

}  // namespace drover::postgres
