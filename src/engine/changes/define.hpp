#pragma once

#include "changes/in_engine.hpp"

namespace drover::engine {

template <class C>
void remember(State& state, const C& change, const ports::AnswerOf<C>& answer, SteadyTime now) {
  InEngine<C>::remember(state, change, answer, now);
}

template <class C>
Status admit(const State& state, const C& change) {
  if constexpr (requires { InEngine<C>::admit(state, change); }) {
    return InEngine<C>::admit(state, change);
  } else {
    return Ok{};
  }
}

#define DROVER_IN_ENGINE(C)                                                           \
  template void remember<C>(State&, const C&, const ports::AnswerOf<C>&, SteadyTime); \
  template Status admit<C>(const State&, const C&);

}  // namespace drover::engine
