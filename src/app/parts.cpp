#include "parts.hpp"

#include "drover/base/secret.hpp"

namespace drover::app {
namespace {

// For deployments whose workers are started by somebody else. Every call fails: an empty listing would say
// that all machines are gone.
class NoCloud final : public ports::Cloud {
 public:
  core::CloudResult<std::vector<core::Instance>> run_instances(const core::LaunchRequest&) override {
    return refusal();
  }
  core::CloudResult<std::vector<core::Instance>> list_by_tag(const std::string&,
                                                             const std::string&) override {
    return refusal();
  }
  core::CloudResult<std::vector<core::Instance>> list_by_id(std::span<const std::string> ids) override {
    if (ids.empty()) return std::vector<core::Instance>{};
    return refusal();
  }
  core::CloudStatus terminate(std::span<const std::string> ids) override {
    if (ids.empty()) return Ok{};
    return refusal();
  }

 private:
  static core::CloudError refusal() {
    return {core::CloudErrorClass::config, "NoProvider",
            "the configuration has no cloud (cloud.provider is \"none\")"};
  }
};

}  // namespace

postgres::PgOptions pg_options(const Settings& settings) {
  postgres::PgOptions options;
  options.conninfo = Secret(settings.store.conninfo);
  options.read_connections = settings.store.read_connections + kKeptConnections;
  options.takeover = Seconds{settings.store.takeover_s};
  options.allow_unsafe = settings.store.allow_unsafe;
  return options;
}

std::unique_ptr<ports::Store> make_store(const Settings& settings) {
  return postgres::make_pg_store(pg_options(settings));
}

Result<CloudParts> make_cloud(const Settings& settings, ports::HttpClient& http, const Clock& clock) {
  CloudParts parts;
  if (settings.cloud.provider == "none") {
    parts.cloud = std::make_unique<NoCloud>();
    return parts;
  }
  auto ec2 = make_ec2(settings, http, clock);
  if (!ec2.ok()) return ec2.error();
  parts.credentials = std::move(ec2->credentials);
  parts.cloud = std::move(ec2->cloud);
  return parts;
}

Result<Ec2Parts> make_ec2(const Settings& settings, ports::HttpClient& http, const Clock& clock) {
  Ec2Parts parts;
  const aws::Environment environment = aws::process_environment();
  if (settings.cloud.access_key.empty()) {
    parts.credentials = aws::make_default_credentials(environment, http, clock, settings.cloud.profile);
  } else {
    parts.credentials = std::make_unique<aws::StaticCredentials>(
        aws::Credentials{settings.cloud.access_key, settings.cloud.secret_key, Secret{}, std::nullopt});
  }
  aws::Ec2Options options;
  options.region = settings.cloud.region.empty() ? aws::default_region(environment, settings.cloud.profile)
                                                 : settings.cloud.region;
  options.endpoint = settings.cloud.endpoint;
  if (options.region.empty()) {
    return invalid("cloud.region", "no region is known: set cloud.region or AWS_REGION");
  }
  auto cloud =
      aws::Ec2Cloud::make(options, aws::Ec2Tools{http, *parts.credentials, clock, {}, random_uniform});
  if (!cloud.ok()) return cloud.error();
  parts.cloud = std::move(*cloud);
  return parts;
}

}  // namespace drover::app
