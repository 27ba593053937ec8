#include "changes/writer.hpp"

namespace drover::postgres {

template <>
class Writer<ports::TouchWorkers> final : public WriterOf<ports::TouchWorkers> {
 public:
  using WriterOf::WriterOf;

  void ask(Round round, Trip& trip) override {
    if (round != Round::second) return;
    for (const std::size_t item : items_) {
      Column<WorkerId> ids;
      Column<WallTime> times;
      for (const auto& [id, at] : change(item).last_seen) ids.push(id), times.push(at);
      trip.add({"write_touch", Params::of(ids, times)});
      answer(item, {});
    }
  }

  void hear(Round, const Trip&) override {}
};

DROVER_WRITES(ports::TouchWorkers)

}  // namespace drover::postgres
