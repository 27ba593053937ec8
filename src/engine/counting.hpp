#pragma once

#include <cstdint>
#include <utility>

#include "drover/base/clock.hpp"

namespace drover::engine {

// How far the count of a term's ready jobs has come. The leader does not wait for the count, which takes long
// with many jobs; until it is done, the accounts hold differences. The engine's thread alone.
class Counting {
 public:
  void begin_term(SteadyTime now) {
    step_ = Step::to_open;
    again_ = now;
  }
  // True, once: a connection is to be asked for.
  [[nodiscard]] bool take_opening(SteadyTime now) {
    if (step_ != Step::to_open || now < again_) return false;
    step_ = Step::opening;
    return true;
  }
  void opened() { step_ = Step::to_begin; }
  // True, once: the next order is to begin the count.
  [[nodiscard]] bool take_beginning() {
    if (step_ != Step::to_begin) return false;
    step_ = Step::beginning;
    return true;
  }
  [[nodiscard]] bool is_beginning() const { return step_ == Step::beginning; }
  void begun() { step_ = Step::counting; }
  [[nodiscard]] bool is_begun() const { return step_ == Step::counting; }
  void done() { step_ = Step::done; }
  // It is tried again after a pause.
  void failed(SteadyTime now) {
    constexpr Seconds kPause{5};
    step_ = Step::to_open;
    again_ = now + kPause;
  }
  // When there is something to take; max() while that depends on news.
  [[nodiscard]] SteadyTime due() const {
    if (step_ == Step::to_begin) return SteadyTime::min();
    return step_ == Step::to_open ? again_ : SteadyTime::max();
  }

 private:
  enum class Step { to_open, opening, to_begin, beginning, counting, done };
  Step step_ = Step::done;
  SteadyTime again_{};
};

}  // namespace drover::engine
