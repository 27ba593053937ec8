#include "drover/ports/cloud.hpp"

#include <array>
#include <utility>

namespace drover::ports {
namespace {

struct ClassRow {
  CloudErrorClass error_class;
  std::string_view name;
  Errc errc;  // what a caller that knows nothing of clouds makes of it
};

constexpr std::array kRows{
    ClassRow{CloudErrorClass::pool, "pool", Errc::unavailable},
    ClassRow{CloudErrorClass::subnet, "subnet", Errc::unavailable},
    ClassRow{CloudErrorClass::account, "account", Errc::unavailable},
    ClassRow{CloudErrorClass::throttle, "throttle", Errc::unavailable},
    ClassRow{CloudErrorClass::transient, "transient", Errc::unavailable},
    ClassRow{CloudErrorClass::credentials, "credentials", Errc::unavailable},
    ClassRow{CloudErrorClass::permission, "permission", Errc::unavailable},
    ClassRow{CloudErrorClass::config, "config", Errc::invalid},
    ClassRow{CloudErrorClass::id, "id", Errc::not_found},
    ClassRow{CloudErrorClass::idempotency, "idempotency", Errc::conflict},
    ClassRow{CloudErrorClass::paging, "paging", Errc::unavailable},
    ClassRow{CloudErrorClass::protection, "protection", Errc::conflict},
    ClassRow{CloudErrorClass::unknown, "unknown", Errc::unavailable},
};

const ClassRow& row_of(CloudErrorClass error_class) {
  for (const auto& row : kRows) {
    if (row.error_class == error_class) return row;
  }
  return kRows.back();
}

}  // namespace

std::string_view to_string(CloudErrorClass error_class) {
  return row_of(error_class).name;
}

CloudErrorClass cloud_error_class(const Error& error) {
  const std::string_view detail = error.detail;
  const auto slash = detail.find('/');
  if (slash == std::string_view::npos) return CloudErrorClass::unknown;
  for (const auto& row : kRows) {
    if (row.name == detail.substr(0, slash)) return row.error_class;
  }
  return CloudErrorClass::unknown;
}

std::string cloud_error_code(const Error& error) {
  const auto slash = error.detail.find('/');
  return slash == std::string::npos ? std::string{} : error.detail.substr(slash + 1);
}

Error make_cloud_error(CloudErrorClass error_class, std::string code, std::string message) {
  const ClassRow& row = row_of(error_class);
  Error error;
  error.code = row.errc;
  error.message = std::move(message);
  error.detail = std::string(row.name) + '/' + std::move(code);
  return error;
}

}  // namespace drover::ports
