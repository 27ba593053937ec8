#pragma once

#include <optional>
#include <string>

#include "changes/change_writer.hpp"

// What the files of the changes have in common.
namespace drover::postgres {

// One for each change: specialised in the file of the change, which ends with DROVER_WRITES(ports::<Change>).
template <class C>
class Writer;

template <class C>
std::unique_ptr<ChangeWriter> make_writer(Batch& batch, Items items) {
  return std::make_unique<Writer<C>>(batch, std::move(items));
}

#define DROVER_WRITES(C) template std::unique_ptr<ChangeWriter> make_writer<C>(Batch & batch, Items items);

// What the writers share: their changes, and the answers to them.
template <class C>
class WriterOf : public ChangeWriter {
 public:
  WriterOf(Batch& batch, Items items) : batch_(batch), items_(std::move(items)) {}

 protected:
  [[nodiscard]] const C& change(std::size_t item) const { return std::get<C>(batch_.changes[item]); }
  void answer(std::size_t item, ports::AnswerOf<C> answer) {
    batch_.settled[item] = ports::settled<C>(std::move(answer));
  }
  void refuse(std::size_t item, Error error) { batch_.settled[item] = ports::settled<C>(std::move(error)); }

  Batch& batch_;
  Items items_;
  std::optional<std::size_t> asked_;  // the place of the statement whose rows the next hear() takes
};

// The events of changes about machines, pools and settings, written in one statement.
class Events {
 public:
  void add(WallTime at, std::string_view kind, std::string_view detail, std::optional<WorkerId> worker = {},
           std::optional<LaunchId> launch = {}, std::optional<PoolId> pool = {}) {
    at_.push(at), kind_.push(kind), detail_.push(detail), worker_.push(worker), launch_.push(launch);
    pool_.push(pool);
    ++count_;
  }
  void write(Batch& batch, Trip& trip) {
    if (count_ == 0) return;
    const std::int64_t base = batch.reserve_events(count_);
    batch.wrote_event_after(base);
    trip.add({"write_events", Params::of(at_, kind_, detail_, worker_, launch_, pool_, base, batch.epoch)});
  }

 private:
  Column<WallTime> at_;
  Column<std::string_view> kind_, detail_;
  Column<WorkerId> worker_;
  Column<LaunchId> launch_;
  Column<PoolId> pool_;
  std::size_t count_ = 0;
};

}  // namespace drover::postgres
