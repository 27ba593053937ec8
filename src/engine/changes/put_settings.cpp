#include "drover/base/log.hpp"

#include "changes/define.hpp"

namespace drover::engine {

using ports::PutSettings;

template <>
struct InEngine<PutSettings> {
  static Status admit(const State& state, const PutSettings& put) {
    const auto changed = core::changed_tunables(state.tunables, put.values);
    return changed ? Status(Ok{}) : Status(changed.error());
  }
  static void remember(State& state, const PutSettings& put, const PutSettings::Answer&, SteadyTime) {
    for (const auto& [key, text] : put.values) {
      // Validated before it was queued; a refusal here means that validation and this table disagree.
      if (const Status set = core::set_tunable(state.tunables, key, text); !set) {
        log_error("setting {} was stored but not taken: {}", key, set.error().message);
      }
    }
    // Two changes that are right alone may be committed together.
    if (const auto said = core::settle_tunables(state.tunables))
      log_warn("two changes of the settings: {}", *said);
  }
};
DROVER_IN_ENGINE(ports::PutSettings)

}  // namespace drover::engine
