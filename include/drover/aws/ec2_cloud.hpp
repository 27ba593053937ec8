#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "drover/aws/credentials.hpp"
#include "drover/aws/ec2_request.hpp"
#include "drover/aws/endpoint.hpp"
#include "drover/aws/rate_budget.hpp"
#include "drover/ports/cloud.hpp"
#include "drover/ports/http_client.hpp"

namespace drover::aws {

struct Ec2Options {
  std::string region;    // required
  std::string endpoint;  // empty: the region's own
  LaunchDefaults launch;
  int tries = 3;  // of one call, for throttles and passing failures
  Millis connect_timeout{3000};
  Millis total_timeout{30'000};  // of one try
  // The share of AWS's request rates (EC2 API throttling, per account and region) that this program allows
  // itself, since other programs of the account draw on the same rates; 0: unlimited.
  double rate_share = 0.5;
};

// What an Ec2Cloud works with. All of it must outlive the Ec2Cloud and be thread-safe.
struct Ec2Tools {
  ports::HttpClient& http;
  CredentialsProvider& credentials;
  const Clock& clock;
  std::function<void(Millis)> sleep = {};  // empty: sleeps
  std::function<double()> uniform = {};    // [0, 1); empty: random
};

// EC2 by its Query API. Throttles and passing failures are tried again after a random wait (longer for
// throttles), the request signed anew, its ClientToken the same. Refused credentials are fetched anew and the
// clock's offset is taken from the answer's Date, once a call. Beside EC2's own codes there are the client's:
// NoCredentials; NoAnswer, Timeout and InvalidReply (it cannot be understood), which are transient;
// ReplyTooLarge; LocalRate, a throttle: keeping to `rate_share` would mean waiting too long.
class Ec2Cloud final : public ports::Cloud {
 public:
  // Errors: invalid (no region, or an endpoint that is none).
  static Result<std::unique_ptr<Ec2Cloud>> make(Ec2Options options, Ec2Tools tools);

  core::CloudResult<std::vector<core::Instance>> run_instances(const core::LaunchRequest& request) override;
  core::CloudResult<std::vector<core::Instance>> list_by_tag(const std::string& key,
                                                             const std::string& value) override;
  core::CloudResult<std::vector<core::Instance>> list_by_id(std::span<const std::string> ids) override;
  // Goes on past instances that cannot be terminated and returns the first error, which names them.
  core::CloudStatus terminate(std::span<const std::string> ids) override;

  // Asks EC2 whether it would take the call, without effect (DryRun): a permission error when the call is not
  // allowed, another error when its parameters are wrong. EC2 does not look for capacity.
  core::CloudStatus try_run_instances(const core::LaunchRequest& request);
  core::CloudStatus try_terminate(const std::string& id);

 private:
  using Accept = std::function<Status(std::string_view body)>;  // an error: the body cannot be understood
  struct Failure;                                               // of one try

  Ec2Cloud(Ec2Options options, Ec2Tools tools, Endpoint endpoint);

  core::CloudStatus call(TokenBucket& bucket, const std::string& body, const Accept& accept);
  std::optional<Failure> try_once(const std::string& body, const Accept& accept);
  Result<ports::HttpReply> send_signed(const std::string& body, const Credentials& credentials);
  void recover_credentials(const Failure& failure);
  [[nodiscard]] Millis delay_after(const Failure& failure, int attempt) const;
  core::CloudStatus dry_run(TokenBucket& bucket, const std::string& body);
  core::CloudStatus spend(TokenBucket& bucket, double tokens);
  void give_back(TokenBucket& bucket, double tokens);
  // "/dev/xvda", "/dev/sda1": where the image's root volume is attached.
  core::CloudResult<std::string> root_device(const std::string& image);
  // Asks EC2 for the image's root device when the launch gives its volume a size.
  core::CloudResult<std::string> launch_body(const core::LaunchRequest& request);
  core::CloudResult<std::vector<core::Instance>> list(const Filter& filter);
  core::CloudResult<std::vector<core::Instance>> list_once(const Filter& filter);
  core::CloudStatus terminate_batch(const std::vector<std::string>& batch);
  std::set<std::string> refused_before();
  void remember(const std::vector<std::string>& ended, const std::set<std::string>& refused);

  Ec2Options options_;
  Ec2Tools tools_;
  Endpoint endpoint_;
  std::atomic<std::int64_t> clock_offset_us_{0};  // AWS's clock minus ours
  std::mutex rate_mutex_;
  TokenBucket describe_rate_;
  TokenBucket run_rate_;
  TokenBucket launched_rate_;  // instances launched, or perhaps launched by a call that was not answered
  TokenBucket terminate_rate_;
  std::mutex refused_mutex_;
  std::set<std::string> refused_;  // instances that EC2 would not end when it was last asked to
  std::mutex images_mutex_;
  std::map<std::string, std::string> root_devices_;  // by image
};

}  // namespace drover::aws
