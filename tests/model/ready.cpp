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

}  // namespace

core::ReadyIndex index_of(Ready ready) {
  core::ReadyIndex index(kJobs);
  index.restart(kQueue);
  if ((ready & kUnread) == 0) index.refill(kQueue, keys(ready), true);
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
  std::array<Becomes, kStates> anew;
  Answers() {
    for (int job = 0; job < kJobs; ++job) {
      const auto at = static_cast<std::size_t>(job);
      with[at] = becomes([&](core::ReadyIndex& index) { index.add(kQueue, key(job)); });
      without[at] = becomes([&](core::ReadyIndex& index) { index.remove(kQueue, key(job)); });
    }
    for (int found = 0; found < kStates; ++found) {
      anew[static_cast<std::size_t>(found)] = becomes([&](core::ReadyIndex& index) {
        index.restart(kQueue);
        index.refill(kQueue, keys(static_cast<Ready>(found)), true);
      });
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
Ready read_anew(Ready ready, Ready found) {
  return answers().anew[found][ready];
}

}  // namespace drover::model
