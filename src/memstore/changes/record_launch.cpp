#include <algorithm>

#include "drover/core/fleet/launch_moves.hpp"

#include "changes/define.hpp"

namespace drover::memstore {

using ports::RecordLaunch;

template <>
struct InMemory<RecordLaunch> {
  static Result<RecordLaunch::Answer> carry_out(Data& data, const RecordLaunch& record) {
    const auto found = data.launches.find(record.launch);
    if (found == data.launches.end())
      return not_found("there is no launch " + std::to_string(record.launch.value));
    Launch& launch = found->second;
    launch.state = core::after_told(launch.state, record.state);
    launch.error = record.error;
    data.happened("launch_" + std::string(to_string(record.state)), record.launch.value);
    RecordLaunch::Answer out;
    for (const core::Instance& instance : record.instances) {
      const bool known = std::ranges::any_of(
          data.workers, [&](const auto& entry) { return entry.second.instance_id == instance.id; });
      if (known) continue;
      ports::WorkerRow row;
      row.id = WorkerId{data.workers.empty() ? 1 : data.workers.rbegin()->first.value + 1};
      row.instance_id = instance.id;
      row.pool = launch.pool;
      row.launch = record.launch;
      row.slots = std::max(data.pools.at(launch.pool).spec.slots, 1);
      row.instance_type = instance.type;
      row.zone = instance.zone;
      row.spot = instance.spot;
      row.created = record.now;
      const WorkerId id = row.id;
      data.workers.emplace(id, std::move(row));
      data.happened("worker_started", id.value);
      out.workers.push_back(data.worker_row(id));
    }
    return out;
  }
};
DROVER_IN_MEMORY(ports::RecordLaunch)

}  // namespace drover::memstore
