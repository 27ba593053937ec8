#include "drover/services/principal.hpp"

namespace drover::services {

Status may_operate(const Principal& who) {
  if (std::holds_alternative<Operator>(who) || std::holds_alternative<System>(who)) return Ok{};
  return forbidden("a worker's token is for the calls of workers alone");
}

}  // namespace drover::services
