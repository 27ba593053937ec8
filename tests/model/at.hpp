#pragma once

#include <vector>

#include "engine.hpp"
#include "moves.hpp"

namespace drover::model {

// A move is tried on a copy, with the engine and the store of the leader on it.
struct Moves::At {
  At(const World& before, Former& the_former, Bug the_bug, Witness* the_witness, const Sink& the_sink)
      : world(before),
        former(the_former),
        bug(the_bug),
        witness(the_witness),
        sink(the_sink),
        flying(in_flight(before)) {
    if (before.leading) free = free_workers(before);
  }

  const World& world;
  Former& former;
  Bug bug;
  Witness* witness;
  const Sink& sink;
  bool flying;            // a batch is
  std::vector<int> free;  // the workers that may ask for a job

  const Machine& machine(int m) const { return world.machines[static_cast<std::size_t>(m)]; }
  const Job& job(int j) const { return world.jobs[static_cast<std::size_t>(j)]; }
  bool acts(int m) const { return model::acts(machine(m)); }
  // There is a job for a worker that asks.
  bool may_match() const { return !world.paused && (world.ready & kUnread) == 0 && world.ready != 0; }

  // Each `change` takes the world after it, the engine and the store.
  template <class F>
  void move(const Move& what, F change) {
    if (what.kind == Kind::fault && world.faults == 0) return;
    World after = world;
    if (what.kind == Kind::fault) --after.faults;
    const char* broken = nullptr;
    Store store(after, bug, broken, witness);
    Engine engine(after, store, former, bug);
    change(after, engine, store);
    if (broken == nullptr) broken = undone(after);
    if (broken == nullptr) broken = contradiction(after);
    sink(what, after, broken);
  }
  template <class F>
  void move_machine(const Move& what, F change) {
    move(what, [&](World& after, Engine&, Store&) {
      change(after.machines[static_cast<std::size_t>(what.machine)]);
    });
  }
  // A move that ends with the forming of a batch: workers that ask at the same time are matched in it, or
  // none is there.
  template <class F>
  void round(Move what, F change) {
    for (const bool asking : {false, true}) {
      if (asking && (free.empty() || !may_match())) return;
      what.asking = asking;
      move(what, [&](World& after, Engine& engine, Store&) {
        change(after, engine, asking ? free : std::vector<int>());
      });
    }
  }
  // A change comes in. While a batch is in flight it waits; but one that is about no job of which something
  // is under way would find the same after the outcome as now, and comes then. `always`: it waits in any
  // case. `before` happens before the change is added.
  template <class Before>
  void comes(const Move& what, const Change& change, Before before, bool always = false) {
    if (!flying) {
      round(what, [&](World& after, Engine& engine, const std::vector<int>& asking) {
        before(after, engine);
        engine.add(change);
        engine.form(asking);
      });
      return;
    }
    const bool room = world.waiting.back().kind == Change::Kind::none;
    if (!room || !(always || is_under_way(world, change.job))) return;
    move(what, [&](World& after, Engine& engine, Store&) {
      before(after, engine);
      engine.add(change);
    });
  }
  void comes(const Move& what, const Change& change, bool always = false) {
    comes(
        what, change, [](World&, Engine&) {}, always);
  }

 private:
  const char* undone(const World& after) const {
    for (int j = 0; j < kJobs; ++j) {
      const core::JobState before = job(j).stored;
      const Change& last = job(j).flying;
      const bool asked = last.kind == Change::Kind::act && last.action == core::JobAction::requeue;
      if (core::is_final(before) && after.jobs[static_cast<std::size_t>(j)].stored != before && !asked) {
        return kFinalIsFinal;
      }
    }
    return nullptr;
  }
};

}  // namespace drover::model
