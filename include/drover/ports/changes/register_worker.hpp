#pragma once

#include <string>

#include "drover/ports/change.hpp"
#include "drover/ports/rows.hpp"

namespace drover::ports {

// Decided by core::decide_registration. Refused: unauthenticated (no launch has this hash), unavailable (not
// yet: retry), conflict.
struct RegisterWorker {
  std::string instance_id;
  Sha256 bootstrap_hash;  // SHA-256 of the presented token
  Sha256 token_hash;      // SHA-256 of worker_token(…), which is handed out
  std::string nonce;
  int slots = 1;
  core::Resources capacity;
  std::string hostname;
  std::string version;  // of the worker program
  WallTime now;

  struct Answer {
    WorkerRow worker;
    bool changed = false;  // false: the same registration again
  };
  static constexpr std::string_view kName = "register_worker";
  static constexpr Lane kLane = Lane::workers;
  static constexpr Decided kDecided = Decided::by_rows;
  static constexpr bool kWakesFleet = true;
  static constexpr bool kWritesEvent = true;
  [[nodiscard]] Keys keys() const { return {Key{Key::Of::instance, 0, instance_id}}; }
};

}  // namespace drover::ports
