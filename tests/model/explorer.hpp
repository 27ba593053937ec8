#pragma once

#include <set>
#include <string>
#include <vector>

#include "moves.hpp"

// Explores every world that can be reached from the first with a given number of faults (what fails, and what
// users do), breadth first, so that what it finds is the shortest history that leads there.
//
// ALWAYS: every predicate of store.hpp holds in every world and at every step.
// EVENTUALLY: from every world, with faults ceasing, every job that nobody holds comes to a final state. It
// is checked in this form: from every reachable world such a world can be reached by fair moves alone. The
// worlds being finitely many, that is the same as: every history comes there in which no move is put off for
// ever (each that is possible again and again is made at last). It rules out deadlocks too: a world without
// moves is its own only future. Faults may interfere with it, and are never needed.
namespace drover::model {

struct Finding {
  std::string predicate;           // empty: everything holds
  std::vector<std::string> steps;  // that lead there
};

struct Exploration {
  Finding finding;
  std::size_t worlds = 0;
  std::size_t steps = 0;        // moves that lead to another world
  std::set<const char*> kinds;  // of moves, by their texts
  int depth = 0;
  bool complete = false;  // no world within the faults was left out
  std::size_t plans = 0;  // questions to the planner, each different
};

inline constexpr const char* kAllEnd = "every job that nobody holds comes to a final state";

// Stops at the first world or step that breaks an ALWAYS, and after `most` worlds.
[[nodiscard]] Exploration explore(Bug bug, int faults, std::size_t most);

}  // namespace drover::model
