#pragma once

#include <map>

#include "changes/writer.hpp"
#include "rows.hpp"

namespace drover::postgres {

// The workers that a change has touched, as they are after it.
inline std::map<WorkerId, ports::WorkerRow> take_workers(const Rows& rows) {
  std::map<WorkerId, ports::WorkerRow> out;
  for (ports::WorkerRow& row : read_all(rows, read_worker)) {
    const WorkerId id = row.id;
    out.emplace(id, std::move(row));
  }
  return out;
}

}  // namespace drover::postgres
