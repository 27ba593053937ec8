#include <fstream>
#include <utility>

#include "drover/aws/credentials.hpp"

#include "environment.hpp"
#include "profile_file.hpp"

namespace drover::aws {
namespace {

constexpr std::size_t kFileBytes = 1024 * 1024;

std::string path_of(const Environment& environment, const std::string& variable, const std::string& in_home) {
  if (auto path = value_of(environment, variable); !path.empty()) return path;
  const auto home = value_of(environment, "HOME");  // systemd leaves it unset for system services
  return home.empty() ? std::string{} : home + in_home;
}

// Empty for a file that is absent or unreadable: profiles are optional.
std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (path.empty() || !file) return {};
  std::string text(kFileBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

struct ProfileFiles {
  Profiles credentials;
  Profiles config;
};

ProfileFiles read_profiles(const Environment& environment) {
  const auto credentials = path_of(environment, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials");
  const auto config = path_of(environment, "AWS_CONFIG_FILE", "/.aws/config");
  return {parse_profiles(read_file(credentials), ProfileSyntax::credentials),
          parse_profiles(read_file(config), ProfileSyntax::config)};
}

std::string profile_name(const Environment& environment, const std::string& given) {
  if (!given.empty()) return given;
  auto named = value_of(environment, "AWS_PROFILE");
  return named.empty() ? "default" : named;
}

const ProfileValues* find(const Profiles& profiles, const std::string& name) {
  const auto at = profiles.find(name);
  return at == profiles.end() ? nullptr : &at->second;
}

std::string value_in(const ProfileValues* values, const std::string& key) {
  if (values == nullptr) return {};
  const auto at = values->find(key);
  return at == values->end() ? std::string{} : at->second;
}

class ProfileSource final : public CredentialSource {
 public:
  ProfileSource(Environment environment, std::string profile)
      : environment_(std::move(environment)), given_(std::move(profile)) {}

  Result<std::optional<Credentials>> fetch() override {
    const auto files = read_profiles(environment_);
    const auto name = profile_name(environment_, given_);
    const auto* credentials = find(files.credentials, name);
    const auto* config = find(files.config, name);
    if (credentials == nullptr && config == nullptr) {
      if (name == "default") return std::optional<Credentials>{};
      return unusable(name, "is in neither the credentials file nor the configuration file");
    }
    for (const auto* values : {credentials, config}) {
      if (!value_in(values, "role_arn").empty()) return unsupported(name, "role_arn");
    }
    for (const auto* values : {credentials, config}) {
      auto keys = keys_in(name, values);
      if (!keys.ok() || *keys) return keys;
    }
    for (const char* key :
         {"credential_process", "sso_session", "sso_start_url", "web_identity_token_file"}) {
      if (!value_in(credentials, key).empty() || !value_in(config, key).empty())
        return unsupported(name, key);
    }
    return std::optional<Credentials>{};
  }

 private:
  static Error unusable(const std::string& name, const std::string& why) {
    return unavailable("the AWS profile '" + name + "' " + why);
  }
  static Error unsupported(const std::string& name, const std::string& key) {
    return unusable(name, "uses " + key + ", which is not supported: give keys, or an instance role");
  }

  static Result<std::optional<Credentials>> keys_in(const std::string& name, const ProfileValues* values) {
    const auto key = value_in(values, "aws_access_key_id");
    auto secret = value_in(values, "aws_secret_access_key");
    if (key.empty() && secret.empty()) return std::optional<Credentials>{};
    if (key.empty() || secret.empty()) {
      return unusable(name, "has one of aws_access_key_id and aws_secret_access_key without the other");
    }
    return std::optional(Credentials{key, Secret(std::move(secret)),
                                     Secret(value_in(values, "aws_session_token")), std::nullopt});
  }

  Environment environment_;
  std::string given_;
};

}  // namespace

std::unique_ptr<CredentialSource> make_profile_source(Environment environment, std::string profile) {
  return std::make_unique<ProfileSource>(std::move(environment), std::move(profile));
}

std::string default_region(const Environment& environment, const std::string& profile) {
  for (const char* variable : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (auto region = value_of(environment, variable); !region.empty()) return region;
  }
  const auto files = read_profiles(environment);
  const auto name = profile_name(environment, profile);
  for (const auto* profiles : {&files.credentials, &files.config}) {
    if (auto region = value_in(find(*profiles, name), "region"); !region.empty()) return region;
  }
  return {};
}

}  // namespace drover::aws
