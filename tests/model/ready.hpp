#pragma once

#include <cstdint>

#include "drover/core/job/ready_index.hpp"

// The ready keys in the leader's memory, in one byte, so that worlds can be compared. What becomes of them is
// asked of core::ReadyIndex.
namespace drover::model {

using Byte = std::uint8_t;
inline constexpr int kJobs = 2;

// A bit for each job that memory holds as ready, and one more when memory has read none of the queue's keys.
using Ready = Byte;
inline constexpr Ready kUnread = 1 << kJobs;

[[nodiscard]] constexpr Ready ready_bit(int job) {
  return static_cast<Ready>(1 << job);
}
[[nodiscard]] constexpr Ready all_ready() {
  return kUnread - 1;
}
[[nodiscard]] constexpr bool is_ready(Ready ready, int job) {
  return (ready & ready_bit(job)) != 0;
}

// Each with what the index makes of it.
[[nodiscard]] Ready with_ready(Ready ready, int job);
[[nodiscard]] Ready without_ready(Ready ready, int job);
inline constexpr const char* kQueue = "q";
[[nodiscard]] core::ReadyIndex index_of(Ready ready);
// The keys as the store had them, in the place of all that memory holds. Since the reading began, some came
// and some went.
[[nodiscard]] Ready read_anew(Ready ready, Ready found, Ready came, Ready went);

}  // namespace drover::model
