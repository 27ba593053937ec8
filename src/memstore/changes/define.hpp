#pragma once

#include "data.hpp"

namespace drover::memstore {

template <class C>
using Answered = Result<ports::AnswerOf<C>>;

template <class C>
Answered<C> carry_out(Data& data, const C& change) {
  return InMemory<C>::carry_out(data, change);
}

#define DROVER_IN_MEMORY(C) template Answered<C> carry_out<C>(Data&, const C&);

}  // namespace drover::memstore
