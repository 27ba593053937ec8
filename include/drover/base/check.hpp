#pragma once

#include <stdexcept>

// What must hold whatever comes from outside: a broken one is a defect of ours. Stays on in release builds,
// since going on with accounts that are wrong does more harm than stopping.
//   DROVER_CHECK(leased > 0, "a lease ends in a queue that has none");
// A broken check throws CheckFailed. Who owns the state that can no longer be trusted catches it, and makes
// that state anew; elsewhere it ends the process.
namespace drover {

class CheckFailed : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void fail_check(const char* condition, const char* meaning);

}  // namespace drover

#define DROVER_CHECK(condition, meaning) \
  (static_cast<bool>(condition) ? static_cast<void>(0) : ::drover::fail_check(#condition, meaning))
