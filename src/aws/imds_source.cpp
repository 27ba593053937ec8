#include <algorithm>
#include <utility>

#include "drover/aws/credentials.hpp"
#include "drover/base/json.hpp"
#include "drover/base/text.hpp"

namespace drover::aws {
namespace {

constexpr std::string_view kDefaultEndpoint = "http://169.254.169.254";
constexpr std::string_view kRolePath = "/latest/meta-data/iam/security-credentials/";
constexpr int kTries = 2;
constexpr Millis kTimeout{1000};
constexpr std::size_t kReplyBytes = 64 * 1024;

Error failed(const std::string& why) {
  return unavailable("the instance metadata service " + why);
}

// What an IAM role's name may hold; anything else would change the path.
bool is_role_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_+=,.@-").find(c) != std::string_view::npos;
  });
}

std::string text_in(const Json& object, std::string_view key) {
  const Json* member = object.find(key);
  const std::string* text = member == nullptr ? nullptr : member->if_string();
  return text == nullptr ? std::string{} : *text;
}

Result<Credentials> parse_document(const std::string& body) {
  const auto json = parse_json(body);
  if (!json.ok()) return failed("sent no JSON for the role's credentials");
  // The service answers 200 with another code when the role cannot be assumed.
  if (const auto code = text_in(*json, "Code"); code != "Success") {
    return failed("could not give the role's credentials: " + code);
  }
  Credentials out{text_in(*json, "AccessKeyId"), Secret(text_in(*json, "SecretAccessKey")),
                  Secret(text_in(*json, "Token")), parse_rfc3339(text_in(*json, "Expiration"))};
  if (out.access_key.empty() || out.secret_key.empty() || !out.expiration) {
    return failed("sent incomplete credentials of the role");
  }
  return out;
}

class ImdsSource final : public CredentialSource {
 public:
  ImdsSource(Environment environment, ports::HttpClient& http)
      : environment_(std::move(environment)), http_(http) {}

  Result<std::optional<Credentials>> fetch() override {
    if (iequals(environment_("AWS_EC2_METADATA_DISABLED").value_or(""), "true"))
      return std::optional<Credentials>{};
    auto result = fetch_once();
    for (int attempt = 1; attempt < kTries && !result.ok(); ++attempt) result = fetch_once();
    return result;
  }

 private:
  Result<std::optional<Credentials>> fetch_once() {
    const auto token = send("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds", "21600"});
    if (!token.ok()) return failed("did not answer: " + token.error().message);
    if (token->status == 403 || token->status == 404 || token->status == 405)
      return std::optional<Credentials>{};
    if (token->status != 200) return failed("refused a token with status " + std::to_string(token->status));
    const std::pair<std::string, std::string> header{"X-aws-ec2-metadata-token",
                                                     std::string(trim(token->body))};

    const auto roles = send("GET", std::string(kRolePath), header);
    if (!roles.ok()) return failed("did not answer: " + roles.error().message);
    if (roles->status == 404) return std::optional<Credentials>{};  // no instance role
    if (roles->status != 200) return failed("answered status " + std::to_string(roles->status));
    const auto role = trim(split(roles->body, '\n').front());
    if (!is_role_name(role)) return failed("named no usable role");

    const auto document = send("GET", std::string(kRolePath) + std::string(role), header);
    if (!document.ok()) return failed("did not answer: " + document.error().message);
    if (document->status != 200) return failed("answered status " + std::to_string(document->status));
    auto credentials = parse_document(document->body);
    if (!credentials.ok()) return credentials.error();
    return std::optional(std::move(*credentials));
  }

  Result<ports::HttpReply> send(std::string method, const std::string& path,
                                std::pair<std::string, std::string> header) {
    std::string endpoint = environment_("AWS_EC2_METADATA_SERVICE_ENDPOINT").value_or("");
    if (endpoint.empty()) endpoint = kDefaultEndpoint;
    while (endpoint.ends_with('/')) endpoint.pop_back();
    ports::HttpRequest request;
    request.method = std::move(method);
    request.url = endpoint + path;
    request.headers.push_back(std::move(header));
    request.connect_timeout = kTimeout;
    request.total_timeout = kTimeout;
    request.max_reply_bytes = kReplyBytes;
    return http_.send(request);
  }

  Environment environment_;
  ports::HttpClient& http_;
};

}  // namespace

std::unique_ptr<CredentialSource> make_imds_source(Environment environment, ports::HttpClient& http) {
  return std::make_unique<ImdsSource>(std::move(environment), http);
}

}  // namespace drover::aws
