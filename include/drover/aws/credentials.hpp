#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "drover/aws/sigv4.hpp"
#include "drover/base/clock.hpp"
#include "drover/base/result.hpp"
#include "drover/ports/http_client.hpp"

// Where AWS credentials come from: environment, shared credentials file and configuration file, instance role
// (IMDSv2).
namespace drover::aws {

// A variable's value; nullopt and an empty value mean the same.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

// Thread-safe. Blocking, bounded in time.
class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;
  // The credentials to sign with now.
  virtual Result<Credentials> get() = 0;
  // Asks the source again, because AWS refused those of get().
  virtual Result<Credentials> refresh() = 0;
};

class StaticCredentials final : public CredentialsProvider {
 public:
  explicit StaticCredentials(Credentials credentials) : credentials_(std::move(credentials)) {}
  Result<Credentials> get() override { return credentials_; }
  Result<Credentials> refresh() override { return credentials_; }

 private:
  Credentials credentials_;
};

// One place to look. nullopt: nothing there, look elsewhere. An error: something is there and it cannot be
// used.
class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  virtual Result<std::optional<Credentials>> fetch() = 0;
};

// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
std::unique_ptr<CredentialSource> make_environment_source(Environment environment);
// Static keys of the profile `profile` (empty: AWS_PROFILE, or "default") in AWS_SHARED_CREDENTIALS_FILE
// (~/.aws/credentials), then AWS_CONFIG_FILE (~/.aws/config). Role, SSO and process profiles are an error
// that says so; so is a profile that was named and is not there.
std::unique_ptr<CredentialSource> make_profile_source(Environment environment, std::string profile = {});
// IMDSv2 at AWS_EC2_METADATA_SERVICE_ENDPOINT or 169.254.169.254, unless AWS_EC2_METADATA_DISABLED is "true".
// `http` must outlive the source. One second a request, two tries.
std::unique_ptr<CredentialSource> make_imds_source(Environment environment, ports::HttpClient& http);

// The first source that has credentials, kept until 15 minutes before they expire. When a source fails then,
// the old ones stay in use, expired or not (AWS may still accept them, and without credentials every call
// would fail), and the next try is a minute later, or 17 to 25 minutes later once they have expired.
class CredentialsChain final : public CredentialsProvider {
 public:
  // `clock` must outlive the chain; `uniform` gives [0, 1).
  CredentialsChain(std::vector<std::unique_ptr<CredentialSource>> sources, const Clock& clock,
                   std::function<double()> uniform);
  Result<Credentials> get() override;
  Result<Credentials> refresh() override;

 private:
  [[nodiscard]] bool due(WallTime now) const;
  Result<Credentials> fetch_locked();
  Result<Credentials> ask_sources();

  std::vector<std::unique_ptr<CredentialSource>> sources_;
  const Clock& clock_;
  std::function<double()> uniform_;
  std::mutex mutex_;
  std::optional<Credentials> kept_;
  std::optional<WallTime> next_try_;  // set while a source fails or hands out what has expired
};

// Environment, profile, instance role. A `profile` that is given here goes before the environment's keys.
std::unique_ptr<CredentialsProvider> make_default_credentials(const Environment& environment,
                                                              ports::HttpClient& http, const Clock& clock,
                                                              std::string profile = {});

// AWS_REGION, AWS_DEFAULT_REGION, then the profile's `region`; empty when none says.
std::string default_region(const Environment& environment, const std::string& profile = {});

}  // namespace drover::aws
