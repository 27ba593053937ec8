#pragma once

#include <string>
#include <string_view>

#include "drover/base/ids.hpp"
#include "drover/base/secret.hpp"

// Tokens are derived, so that a repeated registration or claim gives the same ones and the store holds none.
namespace drover::ports {

// Stands in a pool's user data where the bootstrap token goes.
inline constexpr std::string_view kBootstrapPlaceholder = "@DROVER_BOOTSTRAP_TOKEN@";

// hex(HMAC-SHA-256(deployment secret, "bootstrap/<client token>")).
[[nodiscard]] Secret bootstrap_token(const Secret& deployment_secret, std::string_view client_token);
// hex(HMAC-SHA-256(bootstrap token, "worker/<instance id>/<nonce>")).
[[nodiscard]] Secret worker_token(const Secret& bootstrap_token, std::string_view instance_id,
                                  std::string_view nonce);
// hex(HMAC-SHA-256(worker token, "attempt/<nonce>/<job>/<attempt>")).
[[nodiscard]] Secret attempt_token(const Secret& worker_token, std::string_view nonce, JobNumber job,
                                   int attempt);

}  // namespace drover::ports
