#include "drover/base/check.hpp"

#include <string>

namespace drover {

void fail_check(const char* condition, const char* meaning) {
  throw CheckFailed(std::string(meaning) + " (" + condition + ")");
}

}  // namespace drover
