#include <fmt/format.h>

#include "changes/workers.hpp"

namespace drover::postgres {

using ports::MoveWorker;

template <>
class Writer<MoveWorker> final : public WriterOf<MoveWorker> {
 public:
  using WriterOf::WriterOf;

  // Rows are read after the claims of the same batch were made: a worker that got one is not cordoned.
  void ask(Round round, Trip& trip) override {
    asked_.reset();
    if (round == Round::second) asked_ = trip.add({"write_worker_read", Params::of(ids(items_))});
    if (round == Round::third && moved_ > 0) {
      trip.add({"write_worker_state", Params::of(id_, state_, reason_, ended_, notice_until_)});
      events_.write(batch_, trip);
    }
    if (round == Round::last && !known_.empty())
      asked_ = trip.add({"write_workers_by_id", Params::of(ids(known_))});
  }

  void hear(Round round, const Trip& trip) override {
    if (!asked_) return;
    if (round == Round::second) decide(trip.at(*asked_));
    if (round == Round::last) answer_all(trip.at(*asked_));
  }

 private:
  [[nodiscard]] Column<WorkerId> ids(const Items& items) const {
    Column<WorkerId> out;
    for (const std::size_t item : items) out.push(change(item).worker);
    return out;
  }
  void decide(const Rows& rows);
  void decide(std::size_t item, const core::WorkerBrief& brief);
  void answer_all(const Rows& rows);

  Items known_;  // not refused
  std::map<std::size_t, bool> changed_;
  Column<WorkerId> id_;
  Column<std::string_view> state_;
  Column<std::string> reason_;
  Column<WallTime> ended_, notice_until_;
  std::size_t moved_ = 0;
  Events events_;
};

void Writer<MoveWorker>::decide(const Rows& rows) {
  std::map<WorkerId, core::WorkerBrief> seen;
  for (int r = 0; r < rows.size(); ++r) {
    RowReader row = rows[r];
    core::WorkerBrief& brief = seen[row.get<WorkerId>("id")];
    brief.state = row.get("state", core::parse_worker_state);
    row.read("registered", brief.registered).read("leased", brief.leased).read("noticed", brief.noticed);
  }
  for (const std::size_t item : items_) {
    const auto found = seen.find(change(item).worker);
    if (found == seen.end()) {
      refuse(item, not_found(fmt::format("there is no worker {}", change(item).worker.value)));
    } else {
      decide(item, found->second);
    }
  }
}

void Writer<MoveWorker>::decide(std::size_t item, const core::WorkerBrief& brief) {
  const MoveWorker& of = change(item);
  const core::MoveDecision decision = core::decide_move(brief, of.move);
  if (decision.kind == core::MoveDecision::Kind::refuse) {
    return refuse(item, conflict(fmt::format("cannot change worker {} ({}): {}", of.worker.value,
                                             core::to_string(of.move), decision.reason)));
  }
  known_.push_back(item);
  changed_[item] = decision.kind == core::MoveDecision::Kind::move;
  if (!changed_[item]) return;
  const bool gone = decision.to == core::WorkerState::gone;
  id_.push(of.worker), state_.push(core::to_string(decision.to)), reason_.push(of.reason);
  ended_.push(gone ? std::optional(of.now) : std::nullopt), notice_until_.push(of.notice_until);
  ++moved_;
  const std::string_view what =
      of.move == core::WorkerMove::notice ? "noticed" : core::to_string(decision.to);
  events_.add(of.now, fmt::format("worker_{}", what), of.reason, of.worker);
}

void Writer<MoveWorker>::answer_all(const Rows& rows) {
  const auto workers = take_workers(rows);
  for (const std::size_t item : known_) {
    answer(item, {workers.at(change(item).worker), changed_.at(item)});
  }
}

DROVER_WRITES(ports::MoveWorker)

}  // namespace drover::postgres
