#pragma once

#include "drover/ports/changes.hpp"

#include "state.hpp"

// What the engine does about each change, in the file of that change.
namespace drover::engine {

// Specialised there, which ends with DROVER_IN_ENGINE(ports::<Change>). What was committed enters memory by
//   static void remember(State&, const C&, const ports::AnswerOf<C>&, SteadyTime now);
// Optional; asked when the batch is formed, since a change that is right by itself may contradict what memory
// says by then:
//   static Status admit(const State&, const C&);
template <class C>
struct InEngine;

// Defined by the file of the change; a change without it does not link.
template <class C>
void remember(State& state, const C& change, const ports::AnswerOf<C>& answer, SteadyTime now);
template <class C>
Status admit(const State& state, const C& change);

}  // namespace drover::engine
