#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace drover::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Ends the process with a reason when a property of the code under test does not hold.
inline void hold(bool property, std::string_view reason, std::string_view detail = {}) {
  if (property) return;
  std::fprintf(stderr, "broken: %.*s %.*s\n", static_cast<int>(reason.size()), reason.data(),
               static_cast<int>(detail.size()), detail.data());
  std::abort();
}

}  // namespace drover::fuzz
