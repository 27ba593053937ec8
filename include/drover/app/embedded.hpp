#pragma once

#include <span>
#include <string_view>

namespace drover::app {

// A file of the source tree, compiled into the binary.
struct EmbeddedFile {
  std::string_view path;  // relative to src/app
  std::string_view text;
};

// Every embedded file of this layer, sorted by path. Thread-safe.
std::span<const EmbeddedFile> embedded_files();

}  // namespace drover::app
