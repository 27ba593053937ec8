#include "drover/base/system_error.hpp"

#include <system_error>

#include <fmt/format.h>

namespace drover {

Error system_error(std::string_view what, int number) {
  std::string message = fmt::format("{}: {}", what, std::generic_category().message(number));
  switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EROFS:
      return storage_full(std::move(message));
    default:
      return internal(std::move(message));
  }
}

}  // namespace drover
