#include "drover/ports/tokens.hpp"

#include <fmt/format.h>

namespace drover::ports {

Secret bootstrap_token(const Secret& deployment_secret, std::string_view client_token) {
  return Secret(to_hex(hmac_sha256(deployment_secret.reveal(), fmt::format("bootstrap/{}", client_token))));
}

Secret worker_token(const Secret& bootstrap_token, std::string_view instance_id, std::string_view nonce) {
  return Secret(
      to_hex(hmac_sha256(bootstrap_token.reveal(), fmt::format("worker/{}/{}", instance_id, nonce))));
}

std::string attempt_token(const Secret& worker_token, std::string_view nonce, JobNumber job, int attempt) {
  return to_hex(
      hmac_sha256(worker_token.reveal(), fmt::format("attempt/{}/{}/{}", nonce, job.value, attempt)));
}

}  // namespace drover::ports
