#pragma once

#include <span>
#include <string_view>

namespace drover::worker {

// A file of the source tree, compiled into the binary.
struct EmbeddedFile {
  std::string_view path;  // relative to src/worker
  std::string_view text;
};

// Every embedded file of this layer, sorted by path. Thread-safe.
std::span<const EmbeddedFile> embedded_files();

}  // namespace drover::worker
