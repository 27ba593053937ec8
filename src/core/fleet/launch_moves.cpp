#include "drover/core/fleet/launch_moves.hpp"

namespace drover::core {

LaunchState after_told(LaunchState was, LaunchState told) {
  switch (was) {
    case LaunchState::intended:
      return told;
    case LaunchState::fulfilled:
      return told == LaunchState::intended ? was : told;
    case LaunchState::failed:
    case LaunchState::closed:
      return was;
  }
  return was;
}

}  // namespace drover::core
