#pragma once

#include <chrono>
#include <thread>

namespace drover {

// How long a test waits for what must come, whatever else the machine does. Never what is measured.
inline constexpr std::chrono::seconds kPatience{300};

// Polls until `condition` holds; false when patience is over.
template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace drover
