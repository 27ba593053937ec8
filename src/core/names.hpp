#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace drover::core {

// The names of an enum whose values run from 0: one table serves both directions, so they cannot disagree.
template <class Enum, std::size_t N>
struct Names {
  std::array<std::string_view, N> names;

  [[nodiscard]] constexpr std::string_view of(Enum value) const {
    const auto index = static_cast<std::size_t>(value);
    return index < N ? names[index] : std::string_view("unknown");
  }
  [[nodiscard]] constexpr std::optional<Enum> parse(std::string_view text) const {
    for (std::size_t i = 0; i < N; ++i) {
      if (names[i] == text) return static_cast<Enum>(i);
    }
    return std::nullopt;
  }
};

}  // namespace drover::core
