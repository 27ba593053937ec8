#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "drover/base/check.hpp"
#include "drover/base/ids.hpp"

namespace drover::engine {

// Numbers of jobs that were reserved and not used yet. The engine's thread alone.
class Numbers {
 public:
  void add(JobNumber first, std::int64_t count) {
    blocks_.emplace_back(first.value, count);
    left_ += count;
  }
  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(left_); }
  // The lowest ones; at most left().
  [[nodiscard]] std::vector<JobNumber> take(std::size_t count) {
    DROVER_CHECK(count <= left(), "more numbers are taken than there are");
    std::vector<JobNumber> out;
    out.reserve(count);
    while (out.size() < count) {
      auto& [next, rest] = blocks_.front();
      out.push_back(JobNumber{next++});
      if (--rest == 0) blocks_.pop_front();
    }
    left_ -= static_cast<std::int64_t>(count);
    used_ += static_cast<std::int64_t>(count);
    return out;
  }
  // How many to reserve now: twice what was used since it was last asked, so that a quiet daemon leaves small
  // gaps behind when it dies, and a busy one need not wait; 0 while enough is left. `lacking`: so many more
  // are needed at once.
  [[nodiscard]] int to_reserve(std::size_t lacking) {
    constexpr std::int64_t kFew = 32;
    constexpr std::int64_t kMany = 4096;
    const std::int64_t wanted = std::clamp(2 * std::exchange(used_, 0), kFew, kMany);
    if (lacking == 0 && (left_ == 0 || left_ >= wanted / 2)) return 0;
    return static_cast<int>(static_cast<std::int64_t>(lacking) + wanted);
  }
  // The last that were reserved and not used, in one block: first and count.
  [[nodiscard]] std::optional<std::pair<JobNumber, std::int64_t>> last_unused() const {
    if (blocks_.empty()) return std::nullopt;
    auto [first, count] = blocks_.back();
    for (auto block = std::next(blocks_.rbegin()); block != blocks_.rend(); ++block) {
      if (block->first + block->second != first) break;
      first = block->first;
      count += block->second;
    }
    return std::pair{JobNumber{first}, count};
  }
  void clear() {
    blocks_.clear();
    left_ = 0;
  }

 private:
  std::deque<std::pair<std::int64_t, std::int64_t>> blocks_;  // first, count
  std::int64_t left_ = 0;
  std::int64_t used_ = 0;
};

}  // namespace drover::engine
