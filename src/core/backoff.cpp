#include "drover/core/backoff.hpp"

#include <algorithm>

namespace drover::core {

Seconds doubled(Seconds base, int failures, Seconds top) {
  Seconds delay = base;
  for (int i = 1; i < failures && delay < top; ++i) delay *= 2;
  return std::min(delay, top);
}

}  // namespace drover::core
