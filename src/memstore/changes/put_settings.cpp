#include "changes/define.hpp"

namespace drover::memstore {

using ports::PutSettings;

template <>
struct InMemory<PutSettings> {
  static Result<PutSettings::Answer> carry_out(Data& data, const PutSettings& put) {
    for (const auto& [key, value] : put.values) data.settings[key] = value;
    data.happened("settings");
    return PutSettings::Answer{};
  }
};
DROVER_IN_MEMORY(ports::PutSettings)

}  // namespace drover::memstore
