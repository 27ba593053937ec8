#pragma once

#include "changes/in_engine.hpp"

namespace drover::engine {

template <class C>
void remember(Memory& memory, const C& change, const ports::AnswerOf<C>& answer, SteadyTime now) {
  InEngine<C>::remember(memory, change, answer, now);
}

template <class C>
Status admit(const Memory& memory, const C& change) {
  if constexpr (requires { InEngine<C>::admit(memory, change); }) {
    return InEngine<C>::admit(memory, change);
  } else {
    return Ok{};
  }
}

#define DROVER_IN_ENGINE(C)                                                            \
  template void remember<C>(Memory&, const C&, const ports::AnswerOf<C>&, SteadyTime); \
  template Status admit<C>(const Memory&, const C&);

}  // namespace drover::engine
