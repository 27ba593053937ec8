#include "changes/define.hpp"

namespace drover::memstore {

using ports::TouchWorkers;

template <>
struct InMemory<TouchWorkers> {
  static Result<TouchWorkers::Answer> carry_out(Data& data, const TouchWorkers& touch) {
    for (const auto& [id, at] : touch.last_seen) {
      if (const auto found = data.workers.find(id); found != data.workers.end()) found->second.last_seen = at;
    }
    return TouchWorkers::Answer{};
  }
};
DROVER_IN_MEMORY(ports::TouchWorkers)

}  // namespace drover::memstore
