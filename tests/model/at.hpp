#pragma once

#include <type_traits>

#include "moves.hpp"

namespace drover::model {

inline constexpr const char* kRequeues = "a user requeues job #";

// A move is tried on a copy, with the store of the leader on it.
struct Moves::At {
  At(const World& before, Bug the_bug, const Sink& the_sink) : world(before), bug(the_bug), sink(the_sink) {}

  const World& world;
  Bug bug;
  const Sink& sink;

  const Machine& machine(int m) const { return world.machines[static_cast<std::size_t>(m)]; }
  const Job& job(int j) const { return world.jobs[static_cast<std::size_t>(j)]; }
  // Up, on a machine that runs: what a worker does of itself.
  bool acts(int m) const {
    return machine(m).instance == Instance::running && machine(m).process == Process::up;
  }

  template <class Change>
  void move(const Move& what, Change change) {
    if (what.kind == Kind::fault && world.faults == 0) return;
    World after = world;
    if (what.kind == Kind::fault) --after.faults;
    const char* broken = nullptr;
    Store store(after, bug, broken);
    // A change that says false has changed nothing.
    if constexpr (std::is_same_v<decltype(change(after, store)), bool>) {
      if (!change(after, store)) return;
    } else {
      change(after, store);
    }
    if (broken == nullptr) broken = undone(what, after);
    if (broken == nullptr) broken = contradiction(after);
    sink(what, after, broken);
  }
  template <class Change>
  void move_machine(const Move& what, Change change) {
    move(what, [&](World& after, Store&) { change(after.machines[static_cast<std::size_t>(what.machine)]); });
  }

 private:
  const char* undone(const Move& what, const World& after) const {
    for (int j = 0; j < kJobs; ++j) {
      const core::JobState before = job(j).stored;
      const bool asked = what.text == kRequeues && what.job == j;
      if (core::is_final(before) && after.jobs[static_cast<std::size_t>(j)].stored != before && !asked) {
        return kFinalIsFinal;
      }
    }
    return nullptr;
  }
};

}  // namespace drover::model
