#pragma once

#include <string>

#include "drover/base/clock.hpp"
#include "drover/base/result.hpp"

#include "writer.hpp"

namespace drover::engine {

// Whether this daemon leads, and for how long that can be relied upon. The engine's thread alone.
class Term {
 public:
  Term(const Contact& contact, SteadyTime::duration takeover) : contact_(contact), takeover_(takeover) {}

  void begin(SteadyTime now);
  // The term is over, or a try to begin one failed. `reachable`: the store answered.
  void end(const std::string& why, bool reachable);

  [[nodiscard]] bool leading() const { return leading_; }
  // Why not leading.
  [[nodiscard]] const std::string& standby_reason() const { return standby_reason_; }
  [[nodiscard]] bool store_reachable() const { return store_reachable_; }
  [[nodiscard]] SteadyTime since() const { return since_; }
  // Until then no other daemon can have become leader, unless an operator or a restart of the server ended
  // our session.
  [[nodiscard]] SteadyTime trusted_until() const { return contact_.last() + takeover_; }
  // An Error: nothing may be answered from memory, since another may lead by now.
  [[nodiscard]] Status trusted(SteadyTime now) const;

 private:
  const Contact& contact_;
  SteadyTime::duration takeover_;
  bool leading_ = false;
  std::string standby_reason_ = "starting";
  bool store_reachable_ = false;
  SteadyTime since_{};
};

[[nodiscard]] Error not_leading(const std::string& why);
inline constexpr const char* kUntrusted =
    "the store has not answered for so long that another daemon may lead";

}  // namespace drover::engine
