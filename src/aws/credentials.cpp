#include "drover/aws/credentials.hpp"

#include <cstdlib>
#include <utility>

#include "drover/base/log.hpp"

#include "environment.hpp"

namespace drover::aws {
namespace {

constexpr std::chrono::minutes kRefreshBefore{15};
constexpr std::chrono::minutes kRetryFresh{1};
constexpr std::chrono::minutes kRetryExpired{15};
constexpr Seconds kJitterFrom{120};
constexpr Seconds kJitterTo{600};

class EnvironmentSource final : public CredentialSource {
 public:
  explicit EnvironmentSource(Environment environment) : environment_(std::move(environment)) {}

  Result<std::optional<Credentials>> fetch() override {
    const auto key = value_of(environment_, "AWS_ACCESS_KEY_ID");
    auto secret = value_of(environment_, "AWS_SECRET_ACCESS_KEY");
    if (key.empty() && secret.empty()) return std::optional<Credentials>{};
    if (key.empty() || secret.empty()) {
      return unavailable(
          "the environment holds one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY without the other");
    }
    return std::optional(Credentials{key, Secret(std::move(secret)),
                                     Secret(value_of(environment_, "AWS_SESSION_TOKEN")), std::nullopt});
  }

 private:
  Environment environment_;
};

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

std::unique_ptr<CredentialSource> make_environment_source(Environment environment) {
  return std::make_unique<EnvironmentSource>(std::move(environment));
}

CredentialsChain::CredentialsChain(std::vector<std::unique_ptr<CredentialSource>> sources, const Clock& clock,
                                   std::function<double()> uniform)
    : sources_(std::move(sources)), clock_(clock), uniform_(std::move(uniform)) {}

Result<Credentials> CredentialsChain::get() {
  const std::lock_guard lock(mutex_);
  if (kept_ && !due(clock_.wall())) return *kept_;
  return fetch_locked();
}

Result<Credentials> CredentialsChain::refresh() {
  const std::lock_guard lock(mutex_);
  return fetch_locked();
}

bool CredentialsChain::due(WallTime now) const {
  if (!kept_->expiration) return false;
  if (next_try_) return now >= *next_try_;
  return now >= *kept_->expiration - kRefreshBefore;
}

Result<Credentials> CredentialsChain::fetch_locked() {
  auto fetched = ask_sources();
  if (!fetched.ok() && !kept_) return fetched;
  if (fetched.ok()) {
    kept_ = std::move(*fetched);
    next_try_.reset();
  } else {
    log_warn("AWS credentials could not be refreshed, the old ones stay in use: {}", fetched.error().message);
  }
  const WallTime now = clock_.wall();
  const bool expired = kept_->expiration && *kept_->expiration <= now;
  if (expired) {
    const auto jitter = kJitterFrom + (kJitterTo - kJitterFrom) * uniform_();
    next_try_ = now + kRetryExpired + std::chrono::duration_cast<Micros>(jitter);
  } else if (!fetched.ok()) {
    next_try_ = now + kRetryFresh;
  }
  return *kept_;
}

Result<Credentials> CredentialsChain::ask_sources() {
  for (const auto& source : sources_) {
    auto found = source->fetch();
    if (!found.ok()) return found.error();
    if (*found) return std::move(**found);
  }
  return unavailable(
      "no AWS credentials: the environment, the profile files and the instance role have none");
}

std::unique_ptr<CredentialsProvider> make_default_credentials(const Environment& environment,
                                                              ports::HttpClient& http, const Clock& clock,
                                                              std::string profile) {
  std::vector<std::unique_ptr<CredentialSource>> sources;
  if (profile.empty()) sources.push_back(make_environment_source(environment));
  sources.push_back(make_profile_source(environment, std::move(profile)));
  sources.push_back(make_imds_source(environment, http));
  return std::make_unique<CredentialsChain>(std::move(sources), clock, random_uniform);
}

}  // namespace drover::aws
