#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "drover/base/ids.hpp"

// What every change says of itself. A change is a struct in changes/<name>.hpp with its fields and
//   struct Answer;         what the caller who asked for the change is told
//   kName                  the name of its files, failpoints and metrics
//   kLane, kDecided        see below
//   kWakesFleet            after it the fleet may have to change, whatever the queues say
//   kWritesEvent           it leaves an event when it changes anything
//   Keys keys() const;
// The constants are static constexpr.
namespace drover::ports {

// On which way a change reaches the engine, and its place in the queue for the next batch: first what the
// engine, the reconciler and the workers need, then what operators do, last the submissions. So a flood of
// submissions delays no lease and no pause.
enum class Lane {
  system,       // the engine's and the reconciler's own: never refused
  workers,      // bounded
  operators,    // bounded together with the submissions
  submissions,  // likewise
};

// Where the verdict is made, by functions of core: in the engine's file of the change, from memory, when its
// batch is formed; or in the store's, inside the transaction, because it needs rows. For people who read or
// add a change; no code looks at it.
enum class Decided { by_memory, by_rows };

// What a change is about. A batch holds at most one change per key.
struct Key {
  enum class Of : std::uint8_t {
    job,
    worker,
    instance,
    launch,
    pool,
    tunables,
    scheduler,
    wake
  } of = Of::job;
  std::int64_t id = 0;
  std::string name = {};
  auto operator<=>(const Key&) const = default;
};
using Keys = std::vector<Key>;
struct KeyHash {
  std::size_t operator()(const Key& key) const {
    const auto of = static_cast<std::size_t>(key.of);
    return (std::hash<std::int64_t>{}(key.id) * 31 + of) ^
           (key.name.empty() ? 0 : std::hash<std::string>{}(key.name));
  }
};

inline Keys key_of(JobNumber job) {
  return {Key{Key::Of::job, job.value}};
}
inline Keys key_of(WorkerId worker) {
  return {Key{Key::Of::worker, worker.value}};
}
inline Keys key_of(LaunchId launch) {
  return {Key{Key::Of::launch, launch.value}};
}
inline Keys key_of_pool(std::string name) {
  return {Key{Key::Of::pool, 0, std::move(name)}};
}

}  // namespace drover::ports
