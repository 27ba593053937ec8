#include "drover/ports/http_client.hpp"

namespace drover::ports {

std::string HttpReply::header(std::string_view lower_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_name) return value;
  }
  return {};
}

}  // namespace drover::ports
