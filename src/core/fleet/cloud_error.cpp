#include "drover/core/fleet/cloud_error.hpp"

#include "names.hpp"

namespace drover::core {
namespace {

constexpr Names<CloudErrorClass, 13> kClasses{{"pool", "subnet", "account", "throttle", "transient",
                                               "credentials", "permission", "config", "id", "idempotency",
                                               "paging", "protection", "unknown"}};

}  // namespace

std::string_view to_string(CloudErrorClass error_class) {
  return kClasses.of(error_class);
}

std::string describe(const CloudError& error) {
  return error.code + ": " + error.message;
}

std::string describe_with_class(const CloudError& error) {
  return std::string(to_string(error.error_class)) + "/" + describe(error);
}

}  // namespace drover::core
