#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drover/base/clock.hpp"

namespace drover::ports {

// Why the reconciler does not launch at this moment, and until when. Nothing in the store says so.
struct PoolNote {
  std::string pool;
  std::string code;                // the cloud's own, where the cloud refused; else empty
  std::string message;             // a sentence
  std::string instance_type = {};  // that the cloud refused
  std::optional<WallTime> next_try = {};
};
struct FleetNotes {
  bool frozen = false;  // too much of the fleet is absent at once: nothing is launched or given up
  std::string frozen_reason;
  std::string last_error;  // of the last failed cloud call, until one of its kind works; empty: none
  std::string blind;       // why the cloud could not be looked at; empty: it could
  std::vector<PoolNote> pools;
};

// Where the reconciler publishes its notes for others to read.
class FleetBoard {
 public:
  virtual ~FleetBoard() = default;
  // Those of its last tick. Thread-safe; does not block.
  [[nodiscard]] virtual FleetNotes notes() const = 0;
};

}  // namespace drover::ports
