#pragma once

#include <functional>
#include <string>

#include "former.hpp"
#include "planner.hpp"
#include "store.hpp"
#include "world.hpp"

namespace drover::model {

// fair: what happens by itself, sooner or later, when nothing fails and nobody interferes. fault: what fails,
// what a user does, a long time without work; a history has so many of these.
enum class Kind : Byte { fair, fault };

struct Move {
  Kind kind = Kind::fair;
  const char* text = "";  // % stands for the machine, # for the job
  int machine = 0;
  int job = 0;
  bool asking = false;  // workers ask for a job at the same time
};
[[nodiscard]] std::string describe(const Move& move);

// Takes a move, the world after it, and what it broke by itself (nullptr: nothing).
using Sink = std::function<void(const Move&, const World&, const char* broken)>;

// All that can happen next in a world.
class Moves {
 public:
  // `witness` is told what each move asks the store for, before the sink takes the move.
  explicit Moves(Bug bug, Witness* witness = nullptr) : bug_(bug), witness_(witness) {}
  void each(const World& world, const Sink& sink);
  [[nodiscard]] const Planner& planner() const { return planner_; }
  [[nodiscard]] const Former& former() const { return former_; }

 private:
  struct At;  // one world, and what is done to copies of it
  void worker_moves(At& at, int machine);
  void report_moves(At& at, int machine);
  void machine_moves(At& at, int machine);
  void daemon_moves(At& at);
  void flight_moves(At& at);
  void asking_moves(At& at);
  void decided_moves(At& at);
  void time_moves(At& at);
  void lease_moves(At& at);
  void planner_moves(At& at);
  void cordon(At& at, Kind kind, int machine);
  void lose(At& at, Kind kind, const Intent& intent);
  void decide_launch(At& at, Kind kind, bool after_a_loss);
  void user_moves(At& at);

  Bug bug_;
  Witness* witness_;
  Planner planner_;
  Former former_;
};

[[nodiscard]] World first_world(int faults);

}  // namespace drover::model
