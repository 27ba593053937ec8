#pragma once

#include "drover/ports/reads.hpp"

#include "wire.hpp"

// One reader per shape of row, for every statement that answers it.
namespace drover::postgres {

ports::JobRow read_job(RowReader row);        // view job_row
ports::WorkerRow read_worker(RowReader row);  // view worker_row
ports::LaunchRow read_launch(RowReader row);  // view launch_row
ports::PoolRow read_pool(RowReader row);
ports::AttemptRow read_attempt(RowReader row, JobNumber job);
ports::ArtifactRow read_artifact(RowReader row);
ports::OpenAttempt read_open(RowReader row);  // write_boot_open
// The job's part of an open attempt (view job_run). `attempt` is set to the number of attempts that have
// ended.
void read_job_run(RowReader& row, ports::OpenAttempt& out);

template <class Row>
std::vector<Row> read_all(const Rows& rows, Row (*read)(RowReader)) {
  std::vector<Row> out;
  out.reserve(static_cast<std::size_t>(rows.size()));
  for (int i = 0; i < rows.size(); ++i) out.push_back(read(rows[i]));
  return out;
}

template <class Row>
std::optional<Row> read_first(const Rows& rows, Row (*read)(RowReader)) {
  return rows.empty() ? std::nullopt : std::optional<Row>(read(rows[0]));
}

}  // namespace drover::postgres
