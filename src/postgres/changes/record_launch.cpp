#include <algorithm>

#include <fmt/format.h>

#include "drover/core/fleet/launch_moves.hpp"

#include "changes/workers.hpp"
#include "codec.hpp"

namespace drover::postgres {

using ports::RecordLaunch;

template <>
class Writer<RecordLaunch> final : public WriterOf<RecordLaunch> {
 public:
  using WriterOf::WriterOf;

  void ask(Round round, Trip& trip) override {
    asked_.reset();
    if (round == Round::second) asked_ = trip.add(read());
    if (round == Round::third && !seen_.empty()) write(trip);
    if (round == Round::last) {
      if (!added_.empty()) asked_ = trip.add(read_back());
      events_.write(batch_, trip);
    }
  }

  void hear(Round round, const Trip& trip) override {
    if (round == Round::second) take(trip.at(*asked_));
    if (round == Round::third && asked_) take_added(trip.at(*asked_));
    if (round == Round::last) answer_all(asked_ ? &trip.at(*asked_) : nullptr);
  }

 private:
  struct Seen {
    core::LaunchState state = core::LaunchState::intended;
    PoolId pool;
    core::PoolSpec spec;
  };
  [[nodiscard]] Statement read() const;
  void take(const Rows& rows);
  void write(Trip& trip);
  void take_added(const Rows& rows);
  [[nodiscard]] Statement read_back() const;
  void answer_all(const Rows* rows);

  std::map<LaunchId, Seen> seen_;
  std::map<WorkerId, LaunchId> added_;  // the new workers, by whose launch they are
  Events events_;
};

Statement Writer<RecordLaunch>::read() const {
  Column<LaunchId> ids;
  for (const std::size_t item : items_) ids.push(change(item).launch);
  return {"write_launch_read", Params::of(ids)};
}

void Writer<RecordLaunch>::take(const Rows& rows) {
  for (int r = 0; r < rows.size(); ++r) {
    RowReader row = rows[r];
    Seen& one = seen_[row.get<LaunchId>("id")];
    one.state = row.get("state", core::parse_launch_state);
    row.read("pool", one.pool);
    one.spec = decode_pool(row.get<std::string>("pool_spec"));
  }
}

void Writer<RecordLaunch>::write(Trip& trip) {
  Column<LaunchId> launch, of;
  Column<std::string_view> state;
  Column<std::string> error, instance, type, zone;
  Column<WallTime> at, created;
  Column<PoolId> pool;
  Column<int> slots;
  Column<bool> spot;
  bool any_instance = false;
  for (const std::size_t item : items_) {
    const RecordLaunch& record = change(item);
    const auto found = seen_.find(record.launch);
    if (found == seen_.end()) continue;
    const Seen& seen = found->second;
    const core::LaunchState after = core::after_told(seen.state, record.state);
    launch.push(record.launch), state.push(core::to_string(after)), error.push(record.error);
    at.push(record.now);
    for (const core::Instance& one : record.instances) {
      pool.push(seen.pool), of.push(record.launch), slots.push(std::max(seen.spec.slots, 1));
      created.push(record.now), instance.push(one.id), type.push(one.type), zone.push(one.zone);
      spot.push(one.spot);
      any_instance = true;
    }
    events_.add(record.now, fmt::format("launch_{}", core::to_string(record.state)), record.error, {},
                record.launch, seen.pool);
  }
  trip.add({"write_launch_record", Params::of(launch, state, error, at)});
  if (any_instance) {
    asked_ =
        trip.add({"write_launch_workers", Params::of(pool, of, slots, created, instance, type, zone, spot)});
  }
}

void Writer<RecordLaunch>::take_added(const Rows& rows) {
  for (int r = 0; r < rows.size(); ++r) {
    RowReader row = rows[r];
    added_[row.get<WorkerId>("id")] = row.get<LaunchId>("launch");
  }
  for (const std::size_t item : items_) {
    const RecordLaunch& record = change(item);
    for (const auto& [worker, launch] : added_) {
      if (launch == record.launch)
        events_.add(record.now, "worker_started", "", worker, launch, seen_.at(launch).pool);
    }
  }
}

Statement Writer<RecordLaunch>::read_back() const {
  Column<WorkerId> ids;
  for (const auto& [worker, launch] : added_) ids.push(worker);
  return {"write_workers_by_id", Params::of(ids)};
}

void Writer<RecordLaunch>::answer_all(const Rows* rows) {
  std::map<LaunchId, std::vector<ports::WorkerRow>> workers;
  if (rows != nullptr) {
    for (auto& [id, row] : take_workers(*rows)) workers[added_.at(id)].push_back(row);
  }
  for (const std::size_t item : items_) {
    const LaunchId launch = change(item).launch;
    if (!seen_.contains(launch)) {
      refuse(item, not_found(fmt::format("there is no launch {}", launch.value)));
    } else {
      answer(item, {std::move(workers[launch])});
    }
  }
}

DROVER_WRITES(ports::RecordLaunch)

}  // namespace drover::postgres
