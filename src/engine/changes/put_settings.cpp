#include "drover/base/log.hpp"

#include "changes/define.hpp"

namespace drover::engine {

using ports::PutSettings;

template <>
struct InEngine<PutSettings> {
  static Status admit(const State& state, const PutSettings& put) {
    const auto changed = core::changed_tunables(state.tunables, put.values);
    return changed.ok() ? Status(Ok{}) : Status(changed.error());
  }
  static void remember(State& state, const PutSettings& put, const PutSettings::Answer&, SteadyTime) {
    // admit() took these values when the batch was formed, and no other change of the tunables is in a batch.
    for (const auto& [key, text] : put.values) {
      if (const Status set = core::set_tunable(state.tunables, key, text); !set.ok()) {
        log_error("tunable {} was stored but not taken: {}", key, set.error().message);
      }
    }
  }
};
DROVER_IN_ENGINE(ports::PutSettings)

}  // namespace drover::engine
