#include "changes/define.hpp"

namespace drover::memstore {

using ports::SetPaused;

template <>
struct InMemory<SetPaused> {
  static Result<SetPaused::Answer> carry_out(Data& data, const SetPaused& set) {
    data.paused = set.paused;
    data.happened(set.paused ? "paused" : "resumed");
    return SetPaused::Answer{};
  }
};
DROVER_IN_MEMORY(ports::SetPaused)

}  // namespace drover::memstore
