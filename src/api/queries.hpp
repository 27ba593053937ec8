#pragma once

#include <optional>
#include <string>

#include "drover/base/limits.hpp"
#include "drover/schema/table.hpp"
#include "drover/services/services.hpp"

// The tables of query parameters. A parameter that the table lacks is refused, and so is one that is given
// twice.
namespace drover::api {

const schema::Table<ports::JobFilter>& job_filter_table();
const schema::Table<services::WorkerFilter>& worker_filter_table();

// A page of things that have names.
struct NamesQuery {
  int limit = limits::kPageRowsDefault;
  std::string after;  // names above this one
};
const schema::Table<NamesQuery>& queues_query_table();
// Its page is the largest by default: older clients do not follow links.
struct ArtifactsQuery : NamesQuery {
  ArtifactsQuery() { limit = limits::kPageRows; }
};
const schema::Table<ArtifactsQuery>& artifacts_query_table();

// The attempt whose log is wanted, or all of them; with neither set, the latest one.
struct WhichAttempt {
  bool all = false;
  std::optional<int> attempt;
};
struct LogQuery {
  WhichAttempt attempt;
  std::int64_t offset = 0;  // bytes to leave out
  bool follow = false;      // go on until the attempt has ended
};
const schema::Table<LogQuery>& log_query_table();
struct AppendQuery {
  std::int64_t offset = 0;  // bytes of the log that were sent before
};
const schema::Table<AppendQuery>& append_query_table();

}  // namespace drover::api
