#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/engine/engine.hpp"
#include "drover/ports/leader_session.hpp"
#include "drover/ports/metrics.hpp"

#include "order.hpp"

namespace drover::engine {

// When the store was last asked something that it answered. Another daemon cannot lead before the takeover
// time has passed since: until then the leader may answer from memory.
class Contact {
 public:
  void at(SteadyTime asked) { asked_ = asked.time_since_epoch().count(); }
  [[nodiscard]] SteadyTime last() const { return SteadyTime(SteadyTime::duration(asked_.load())); }
  // The writer went round its loop, whether or not the store answers.
  void gets_on(SteadyTime now) { alive_ = now.time_since_epoch().count(); }
  [[nodiscard]] SteadyTime alive() const { return SteadyTime(SteadyTime::duration(alive_.load())); }

 private:
  std::atomic<SteadyTime::rep> asked_{0};
  std::atomic<SteadyTime::rep> alive_{0};
};

// The only writer of the store: tries to lead, and carries out orders on the leader's session. Blocks; one
// thread at a time, but for contact().
class Writer {
 public:
  Writer(ports::Leadership& leadership, const Clock& clock, ports::Metrics& metrics,
         const EngineOptions& options, std::function<void(News)> tell, std::function<Status()> begin_count);

  // Tells OrderDone in any case, and Lost after it when the session was lost.
  void carry_out(Order order);
  // What is due without an order: a try to lead (tells Led or NotLed, and Resolved before them), or a word to
  // the store, which ends the session of a leader that says nothing for the takeover time.
  void turn();
  [[nodiscard]] SteadyTime due() const;
  [[nodiscard]] SteadyTime now() const { return clock_.steady(); }
  // Called before each wait. A writer that does not call it any more is stuck in a call of the store.
  void get_on() { contact_.gets_on(clock_.steady()); }
  // Gives leadership up. Tells Lost.
  void resign(const std::string& why);

  [[nodiscard]] const Contact& contact() const { return contact_; }

 private:
  struct Doubt {
    std::string transaction;
    std::vector<ports::Settled> settled;
  };

  [[nodiscard]] bool commit(std::span<const ports::Change> changes, std::span<Fate> fates);
  [[nodiscard]] bool reserve(int count, OrderDone& done);
  [[nodiscard]] bool ping();
  [[nodiscard]] bool resolve_doubt();
  void try_to_lead();
  // nullopt, with NotLed told, when there is no leading.
  [[nodiscard]] std::optional<ports::BootState> begin_term();
  void lose(const std::string& why);

  ports::Leadership& leadership_;
  const Clock& clock_;
  ports::Metrics& metrics_;
  const EngineOptions& options_;
  std::function<void(News)> tell_;
  std::function<Status()> begin_count_;
  std::unique_ptr<ports::LeaderSession> session_;
  std::optional<Doubt> doubt_;
  std::string said_;  // the reason that was logged last
  SteadyTime next_try_{};
  SteadyTime led_since_{};
  Contact contact_;
};

}  // namespace drover::engine
