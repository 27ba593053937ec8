#include "drover/ports/tokens.hpp"

#include <fmt/format.h>

namespace drover::ports {
namespace {

Secret derived(const Secret& key, const std::string& from) {
  Sha256 bytes = hmac_sha256(key.reveal(), from);
  Secret token(to_hex(bytes));
  wipe(bytes);
  return token;
}

}  // namespace

Secret bootstrap_token(const Secret& deployment_secret, std::string_view client_token) {
  return derived(deployment_secret, fmt::format("bootstrap/{}", client_token));
}

Secret worker_token(const Secret& bootstrap_token, std::string_view instance_id, std::string_view nonce) {
  return derived(bootstrap_token, fmt::format("worker/{}/{}", instance_id, nonce));
}

Secret attempt_token(const Secret& worker_token, std::string_view nonce, JobNumber job, int attempt) {
  return derived(worker_token, fmt::format("attempt/{}/{}/{}", nonce, job.value, attempt));
}

}  // namespace drover::ports
