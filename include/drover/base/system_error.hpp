#pragma once

#include <cerrno>
#include <string_view>

#include "drover/base/result.hpp"

namespace drover {

// What a system call failed with: "<what>: No space left on device". storage_full where the disk, a quota or
// a read-only file system is the cause; internal otherwise.
[[nodiscard]] Error system_error(std::string_view what, int number = errno);

}  // namespace drover
