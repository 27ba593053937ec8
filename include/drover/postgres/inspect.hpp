#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drover/base/ids.hpp"
#include "drover/core/fleet/facts.hpp"
#include "drover/postgres/pg_store.hpp"

namespace drover::postgres {

// What a database is like, for somebody who wants to know whether a daemon could work with it.
struct Inspection {
  int server_version = 0;  // as PostgreSQL counts: 150004
  bool fsync = false;
  bool full_page_writes = false;
  bool standby = false;     // it takes no changes
  bool may_create = false;  // the session's user may make tables
  bool led = false;         // a daemon leads at this moment
  // Migrations that a daemon would apply at its start; nullopt: it has no schema of ours.
  std::optional<int> missing_migrations;
  std::string refusal;             // why a daemon would refuse the schema; empty: it would not
  std::optional<Uuid> deployment;  // as far as the schema is this version's
  std::vector<core::PoolSpec> pools;
};

// Looks over one read-only session of its own, and takes no lock.
Result<Inspection> inspect(const PgOptions& options);

}  // namespace drover::postgres
