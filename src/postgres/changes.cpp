#include <array>
#include <memory>
#include <utility>

#include "changes/change_writer.hpp"

namespace drover::postgres {
namespace {

using Writers = std::vector<std::unique_ptr<ChangeWriter>>;

template <std::size_t... I>
Writers writers_of(Batch& batch, std::index_sequence<I...>);
Status check_epoch(Batch& batch, const Rows& rows);

}  // namespace

Status write(Batch& batch) {
  for (const ports::Change& change : batch.changes) {
    batch.settled.push_back(ports::refused(change, internal("a change was not written")));
  }
  const Writers writers = writers_of(batch, std::make_index_sequence<ports::kChanges>());
  bool begun = false;
  for (const Round round : kRounds) {
    Trip trip;
    if (!begun) trip.statements = {{"BEGIN", {}, true}, {"write_start"}};
    const std::size_t own = trip.statements.size();
    for (const auto& writer : writers) writer->ask(round, trip);
    if (trip.statements.size() > own) {
      auto rows = batch.connection.pipeline(trip.statements);
      if (!rows.ok()) return rows.error();
      trip.results = std::move(*rows);
      if (!begun) {
        if (auto same = check_epoch(batch, trip.at(1)); !same.ok()) return same;
      }
      begun = true;
    }
    for (const auto& writer : writers) writer->hear(round, trip);
  }
  return Ok{};
}

namespace {

template <std::size_t... I>
Writers writers_of(Batch& batch, std::index_sequence<I...>) {
  std::array<Items, sizeof...(I)> items;
  for (std::size_t i = 0; i < batch.changes.size(); ++i) items[batch.changes[i].index()].push_back(i);
  Writers out;
  ((items[I].empty() ? void() : out.push_back(make_writer<ports::ChangeAt<I>>(batch, std::move(items[I])))),
   ...);
  return out;
}

// Fails when a later leader has raised the epoch: this daemon must not write any more then.
Status check_epoch(Batch& batch, const Rows& rows) {
  std::int64_t epoch = 0;
  rows[0].read("xid", batch.xid).read("epoch", epoch);
  if (epoch == batch.epoch) return Ok{};
  batch.connection.shut();
  return unavailable("another daemon leads by now", 1);
}

}  // namespace

}  // namespace drover::postgres
