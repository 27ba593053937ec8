#include "changes/writer.hpp"

namespace drover::postgres {

template <>
class Writer<ports::SetPaused> final : public WriterOf<ports::SetPaused> {
 public:
  using WriterOf::WriterOf;

  void ask(Round round, Trip& trip) override {
    if (round != Round::second) return;
    const ports::SetPaused& set = change(items_.front());  // one in a batch, by its key
    trip.add({"write_paused", Params::of(set.paused, set.now)});
    Events event;
    event.add(set.now, set.paused ? "paused" : "resumed", "");
    event.write(batch_, trip);
    answer(items_.front(), {});
  }

  void hear(Round, const Trip&) override {}
};

DROVER_WRITES(ports::SetPaused)

}  // namespace drover::postgres
