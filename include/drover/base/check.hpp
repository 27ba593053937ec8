#pragma once

#include <stdexcept>

// States what no input can break: a broken check is a defect of the program. Checks stay on in release
// builds, since going on with wrong accounts does more harm than stopping.
//   DROVER_CHECK(leased > 0, "a lease ends in a queue that has none");
// A broken check throws CheckFailed. The owner of the state that can no longer be trusted catches it and
// builds that state anew (the engine ends its term and reads the store); elsewhere the exception ends the
// process.
namespace drover {

class CheckFailed : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void fail_check(const char* condition, const char* meaning);

}  // namespace drover

#define DROVER_CHECK(condition, meaning) \
  (static_cast<bool>(condition) ? static_cast<void>(0) : ::drover::fail_check(#condition, meaning))
