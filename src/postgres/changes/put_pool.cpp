#include <fmt/format.h>

#include "changes/writer.hpp"
#include "codec.hpp"
#include "rows.hpp"

namespace drover::postgres {

using ports::PutPool;

template <>
class Writer<PutPool> final : public WriterOf<PutPool> {
 public:
  using WriterOf::WriterOf;

  void ask(Round round, Trip& trip) override {
    asked_.reset();
    if (round == Round::second) asked_ = trip.add(read());
    if (round == Round::third) write(trip);
    if (round == Round::last) events_.write(batch_, trip);
  }

  void hear(Round round, const Trip& trip) override {
    if (round == Round::second) decide(trip.at(*asked_));
    if (round == Round::third) {
      if (inserted_) take(trip.at(*inserted_), made_, true);
      if (updated_) take(trip.at(*updated_), edited_, false);
    }
  }

 private:
  [[nodiscard]] Statement read() const;
  void decide(const Rows& rows);
  void write(Trip& trip);
  void take(const Rows& rows, const Items& items, bool made);

  Items made_, edited_;
  std::optional<std::size_t> inserted_, updated_;  // places of the statements
  Events events_;
};

Statement Writer<PutPool>::read() const {
  Column<std::string> names;
  for (const std::size_t item : items_) names.push(change(item).spec.name);
  return {"write_pool_read", Params::of(names)};
}

void Writer<PutPool>::decide(const Rows& rows) {
  std::map<std::string, std::int64_t> versions;
  for (int r = 0; r < rows.size(); ++r) {
    RowReader row = rows[r];
    versions[row.get<std::string>("name")] = row.get<std::int64_t>("version");
  }
  for (const std::size_t item : items_) {
    const PutPool& put = change(item);
    const auto present = versions.find(put.spec.name);
    if (put.create) {
      if (present == versions.end()) {
        made_.push_back(item);
      } else {
        refuse(item, conflict(fmt::format("there is a pool {} already", put.spec.name)));
      }
    } else if (present == versions.end()) {
      refuse(item, not_found(fmt::format("there is no pool {}", put.spec.name)));
    } else if (put.version && *put.version != present->second) {
      refuse(item, conflict(fmt::format("pool {} was edited in the meantime: it has version {}",
                                        put.spec.name, present->second)));
    } else {
      edited_.push_back(item);
    }
  }
}

void Writer<PutPool>::write(Trip& trip) {
  inserted_.reset();
  updated_.reset();
  if (!made_.empty()) {
    Column<std::string> name, spec;
    Column<WallTime> at;
    for (const std::size_t item : made_) {
      const PutPool& put = change(item);
      name.push(put.spec.name), spec.push(encode_pool(put.spec)), at.push(put.now);
    }
    inserted_ = trip.add({"write_pool_insert", Params::of(name, spec, at)});
  }
  if (!edited_.empty()) {
    Column<std::string> name, spec, blocked;
    Column<WallTime> at;
    Column<std::int64_t> edits;
    for (const std::size_t item : edited_) {
      const PutPool& put = change(item);
      name.push(put.spec.name), spec.push(encode_pool(put.spec)), blocked.push(put.blocked_reason);
      at.push(put.now), edits.push(put.blocked_reason.empty() ? 1 : 0);
    }
    updated_ = trip.add({"write_pool_update", Params::of(name, spec, blocked, at, edits)});
  }
}

void Writer<PutPool>::take(const Rows& rows, const Items& items, bool made) {
  std::map<std::string, ports::PoolRow> pools;
  for (ports::PoolRow& pool : read_all(rows, read_pool)) {
    std::string name = pool.spec.name;
    pools.emplace(std::move(name), std::move(pool));
  }
  for (const std::size_t item : items) {
    const PutPool& put = change(item);
    const auto found = pools.find(put.spec.name);
    if (found == pools.end()) {  // somebody has changed the pool in SQL since it was read
      refuse(item, conflict(fmt::format("there is a pool {} already", put.spec.name)));
      continue;
    }
    const char* kind = made ? "pool_created" : put.blocked_reason.empty() ? "pool_edited" : "pool_blocked";
    events_.add(put.now, kind, made ? put.spec.name : put.blocked_reason, {}, {}, found->second.id);
    answer(item, {found->second});
  }
}

DROVER_WRITES(ports::PutPool)

}  // namespace drover::postgres
