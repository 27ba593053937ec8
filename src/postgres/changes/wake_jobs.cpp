#include "changes/writer.hpp"

namespace drover::postgres {

template <>
class Writer<ports::WakeJobs> final : public WriterOf<ports::WakeJobs> {
 public:
  using WriterOf::WriterOf;

  void ask(Round round, Trip& trip) override {
    asked_.reset();
    if (round != Round::second) return;
    const ports::WakeJobs& wake = change(items_.front());  // one in a batch, by its key
    asked_ = trip.add({"write_wake", Params::of(wake.now, std::int64_t{wake.limit})});
    next_ = trip.add({"write_next_wake"});
  }

  void hear(Round, const Trip& trip) override {
    if (!asked_) return;
    ports::WakeJobs::Answer woken;
    const Rows& rows = trip.at(*asked_);
    for (int r = 0; r < rows.size(); ++r) {
      ports::ReadyJob one;
      RowReader row = rows[r];
      row.read("queue", one.queue).read("rank", one.key.rank).read("number", one.key.number);
      one.suspect = row.get<Seconds>("alone_s") > Seconds{0};
      woken.ready.push_back(std::move(one));
    }
    if (!trip.at(next_).empty()) trip.at(next_)[0].read("wake_at", woken.next);
    answer(items_.front(), std::move(woken));
  }

 private:
  std::size_t next_ = 0;
};

DROVER_WRITES(ports::WakeJobs)

}  // namespace drover::postgres
