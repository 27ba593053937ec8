#pragma once

#include "drover/ports/changes.hpp"

#include "memory.hpp"

// What the engine does about each change, in the file of that change.
namespace drover::engine {

// Specialised there, which ends with DROVER_IN_ENGINE(ports::<Change>). What was committed enters memory by
//   static void remember(Memory&, const C&, const ports::AnswerOf<C>&, SteadyTime now);
// Optional; asked when the batch is formed, since a change that is right by itself may contradict what memory
// says by then:
//   static Status admit(const Memory&, const C&);
template <class C>
struct InEngine;

// Defined by the file of the change; a change without it does not link.
template <class C>
void remember(Memory& memory, const C& change, const ports::AnswerOf<C>& answer, SteadyTime now);
template <class C>
Status admit(const Memory& memory, const C& change);

}  // namespace drover::engine
