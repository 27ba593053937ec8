#pragma once

#include <functional>
#include <string>

#include "drover/base/result.hpp"
#include "drover/base/secret.hpp"
#include "drover/http/message.hpp"

#include "instance.hpp"

namespace drover::localcloud {

// One instance's metadata service, version 2: a session token first. Thread-safe.
class Imds final : public http::Handler {
 public:
  // `load` reads the instance's record as it is now; `user_data` its user data.
  Imds(std::function<Result<Instance>()> load, std::function<std::string()> user_data);
  std::variant<http::BodyPolicy, http::Response> on_head(const http::Request& head) override;
  void on_request(http::Request request, http::Reply reply) override;

 private:
  [[nodiscard]] http::Response answer(const http::Request& request) const;
  [[nodiscard]] http::Response make_token(const http::Request& request) const;
  [[nodiscard]] bool valid_token(std::string_view token) const;

  std::function<Result<Instance>()> load_;
  std::function<std::string()> user_data_;
  Secret key_;  // tokens are signed, not stored
};

}  // namespace drover::localcloud
