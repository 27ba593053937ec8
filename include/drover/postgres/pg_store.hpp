#pragma once

#include <memory>

#include "drover/base/clock.hpp"
#include "drover/base/secret.hpp"
#include "drover/ports/store.hpp"

namespace drover::postgres {

struct PgOptions {
  Secret conninfo;                   // libpq keywords or URI; may hold a password
  int read_connections = 4;          // opened when first needed
  Millis takeover{5000};             // the server ends a leader's session that is silent for this long
  Millis statement_timeout{10'000};  // of one read
  bool allow_unsafe = false;  // lead even with fsync or full_page_writes off, or synchronous_commit as it is
};

// The store on PostgreSQL 15 or later. Opens no connection by itself. Thread-safe as ports::Store says.
std::unique_ptr<ports::Store> make_pg_store(PgOptions options);

}  // namespace drover::postgres
