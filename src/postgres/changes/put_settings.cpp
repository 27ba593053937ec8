#include "changes/writer.hpp"

namespace drover::postgres {

template <>
class Writer<ports::PutSettings> final : public WriterOf<ports::PutSettings> {
 public:
  using WriterOf::WriterOf;

  void ask(Round round, Trip& trip) override {
    if (round != Round::second) return;
    const ports::PutSettings& put = change(items_.front());  // one in a batch, by its key
    Column<std::string> keys, values;
    std::string changed;
    for (const auto& [key, value] : put.values) {
      keys.push(key), values.push(value);
      changed += (changed.empty() ? "" : " ") + key;
    }
    trip.add({"write_settings", Params::of(keys, values, put.now)});
    Events event;
    event.add(put.now, "settings", changed);
    event.write(batch_, trip);
    answer(items_.front(), {});
  }

  void hear(Round, const Trip&) override {}
};

DROVER_WRITES(ports::PutSettings)

}  // namespace drover::postgres
