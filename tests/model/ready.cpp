#include "ready.hpp"

#include <array>
#include <string>
#include <vector>

namespace drover::model {
namespace {

core::ReadyKey key(int job) {
  return {0, job};
}
std::vector<core::ReadyKey> keys(Ready ready) {
  std::vector<core::ReadyKey> out;
  for (int job = 0; job < kJobs; ++job) {
    if (is_ready(ready, job)) out.push_back(key(job));
  }
  return out;
}

constexpr std::uint64_t kReading = 1;
void read(core::ReadyIndex& index, const std::vector<core::ReadyKey>& found) {
  index.begin_reading(kQueue, kReading, true);
  index.finish_reading(kQueue, kReading, found, true);
}

}  // namespace

core::ReadyIndex index_of(Ready ready) {
  core::ReadyIndex index(kJobs);
  index.restart(kQueue);
  if ((ready & kUnread) == 0) read(index, keys(ready));
  return index;
}

namespace {

constexpr int kStates = 1 << (kJobs + 1);
using Becomes = std::array<Ready, kStates>;  // what becomes of each state

Ready state_of(const core::ReadyIndex& index) {
  Ready out = index.is_whole(kQueue) ? 0 : kUnread;
  for (int job = 0; job < kJobs; ++job) {
    if (index.ahead_of(kQueue, key(job))) out |= ready_bit(job);
  }
  return out;
}

template <class Change>
Becomes becomes(Change change) {
  Becomes out{};
  for (int state = 0; state < kStates; ++state) {
    core::ReadyIndex index = index_of(static_cast<Ready>(state));
    change(index);
    out[static_cast<std::size_t>(state)] = state_of(index);
  }
  return out;
}

// Each question is asked once: the same few are asked in every world.
struct Answers {
  std::array<Becomes, kJobs> with, without;
  Answers() {
    for (int job = 0; job < kJobs; ++job) {
      const auto at = static_cast<std::size_t>(job);
      with[at] = becomes([&](core::ReadyIndex& index) { index.add(kQueue, key(job)); });
      without[at] = becomes([&](core::ReadyIndex& index) { index.remove(kQueue, key(job)); });
    }
  }
};
const Answers& answers() {
  static const Answers all;
  return all;
}

}  // namespace

Ready with_ready(Ready ready, int job) {
  return answers().with[static_cast<std::size_t>(job)][ready];
}
Ready without_ready(Ready ready, int job) {
  return answers().without[static_cast<std::size_t>(job)][ready];
}
Ready read_anew(Ready ready, Ready found, Ready came, Ready went) {
  core::ReadyIndex index = index_of(ready);
  index.begin_reading(kQueue, kReading, true);
  for (int job = 0; job < kJobs; ++job) {
    if (is_ready(went, job)) index.remove(kQueue, key(job));
    if (is_ready(came, job)) index.add(kQueue, key(job));
  }
  index.finish_reading(kQueue, kReading, keys(found), true);
  return state_of(index);
}

}  // namespace drover::model
