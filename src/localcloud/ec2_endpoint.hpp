#pragma once

#include <string>

#include "drover/http/message.hpp"

#include "ec2_service.hpp"
#include "event_loop.hpp"

namespace drover::localcloud {

// The Query API's HTTP side: checks the signature, counts, applies the faults that are armed. Thread-safe.
class Ec2Endpoint final : public http::Handler {
 public:
  Ec2Endpoint(const LocalCloudOptions& options, Ec2Service& service, Faults& faults, EventLoop& loop)
      : options_(options), service_(service), faults_(faults), loop_(loop) {}

  std::variant<http::BodyPolicy, http::Response> on_head(const http::Request& head) override;
  void on_request(http::Request request, http::Reply reply) override;

 private:
  [[nodiscard]] Status authenticate(const http::Request& request) const;
  [[nodiscard]] Result<Params> read(const http::Request& request) const;
  [[nodiscard]] http::Response execute(const std::string& action, const Params& params,
                                       const CallFaults& suffers, const std::string& request_id) const;
  [[nodiscard]] http::Response failure(const Error& error, const std::string& request_id) const;
  [[nodiscard]] http::Response respond(int status, std::string body, const std::string& request_id) const;

  const LocalCloudOptions& options_;
  Ec2Service& service_;
  Faults& faults_;
  EventLoop& loop_;
};

}  // namespace drover::localcloud
