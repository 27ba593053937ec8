#include "ec2_endpoint.hpp"

#include <algorithm>

#include "drover/aws/sigv4.hpp"
#include "drover/base/clock.hpp"
#include "drover/base/http_date.hpp"
#include "drover/base/ids.hpp"
#include "drover/base/secret.hpp"
#include "drover/base/text.hpp"

#include "ec2_parameters.hpp"

namespace drover::localcloud {

namespace {

constexpr std::int64_t kBodyBytes = 1024 * 1024;
constexpr Seconds kSkewMax{15 * 60};
constexpr std::string_view kEc2Version = "2016-11-15";
constexpr std::string_view kStsVersion = "2011-06-15";

Error bad_signature() {
  return ec2_error(
      "SignatureDoesNotMatch",
      "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
      "Access Key and signing method. Consult the service documentation for details.");
}

Error bad_key() {
  return ec2_error("AuthFailure", "AWS was not able to validate the provided access credentials");
}

// What carries a signature in the query of a GET (docs: "Authenticating requests: using query parameters").
constexpr std::string_view kAuthPrefix = "X-Amz-";
constexpr std::string_view kSignature = "X-Amz-Signature";
constexpr std::int64_t kExpiresMax = 604'800;

bool is_presigned(const http::Request& request) {
  return request.method == "GET" && request.query_value(kSignature).has_value();
}

// The same as an Authorization header would hold it.
std::string authorization_in_query(const http::Request& request) {
  const auto value = [&](std::string_view name) {
    return std::string(request.query_value(name).value_or(""));
  };
  return value("X-Amz-Algorithm") + " Credential=" + value("X-Amz-Credential") +
         ", SignedHeaders=" + value("X-Amz-SignedHeaders") + ", Signature=" + value(kSignature);
}

std::string signed_query(const http::Request& request) {
  std::string out;
  for (const auto& [name, value] : request.query) {
    if (name == kSignature) continue;
    out.append(out.empty() ? "" : "&").append(percent_encode(name)).append("=").append(percent_encode(value));
  }
  return out;
}

// The call's parameters, without those of a signature.
http::Headers own_query(const http::Request& request) {
  auto out = request.query;
  if (is_presigned(request))
    std::erase_if(out, [](const auto& pair) { return pair.first.starts_with(kAuthPrefix); });
  return out;
}

// How many instances the call is about, for the throttle.
int instances_in(const std::string& action, const Params& params) {
  if (action != "RunInstances") return static_cast<int>(params.list("InstanceId").size());
  const auto count = parse_int(params.text("MaxCount"));
  return count ? static_cast<int>(std::clamp<std::int64_t>(*count, 0, 1'000'000)) : 0;
}

bool is_unfiltered(const Params& params) {
  return params.structs("Filter").empty() && params.list("InstanceId").empty() && !params.has("MaxResults");
}

}  // namespace

std::variant<http::BodyPolicy, http::Response> Ec2Endpoint::on_head(const http::Request&) {
  return http::BodyPolicy{kBodyBytes, false};
}

http::Response Ec2Endpoint::respond(int status, std::string body, const std::string& request_id) const {
  http::Response out;
  out.status = status;
  out.body = std::move(body);
  // The connection closes after one call. On a kept one, HTTP libraries repeat a request whose reply was lost
  // by themselves, so that a test could not see the lost reply.
  out.close = true;
  out.with("Content-Type", "text/xml;charset=UTF-8").with("x-amzn-requestid", request_id);
  // A client corrects its clock by this header, so it must hold the time against which the signature is
  // checked.
  if (const auto offset = faults_.clock_offset(); offset.count() != 0) {
    out.with("Date", to_http_date(SystemClock{}.wall() + offset));
  }
  return out;
}

http::Response Ec2Endpoint::failure(const Error& error, const std::string& request_id) const {
  // A planned error may bring its own status.
  const auto own = parse_int(error.field);
  return respond(own ? static_cast<int>(*own) : ec2_status(error.detail),
                 ec2_error_response(error, request_id), request_id);
}

Status Ec2Endpoint::authenticate(const http::Request& request) const {
  const bool presigned = is_presigned(request);
  const auto header =
      presigned ? authorization_in_query(request) : std::string(request.header("authorization"));
  if (header.empty()) {
    return ec2_error("MissingAuthenticationToken",
                     "The request must contain a signature in its Authorization header or its query.");
  }
  const auto claim = aws::parse_authorization(header);
  if (!claim) return ec2_error("AuthFailure", "The signature's form is malformed");
  const auto date =
      std::string(presigned ? request.query_value("X-Amz-Date").value_or("") : request.header("x-amz-date"));
  const auto time = aws::parse_amz_date(date);
  if (!time || claim->scope.date != date.substr(0, 8)) return bad_signature();
  if (!request.header("x-amz-security-token").empty() || request.query_value("X-Amz-Security-Token") ||
      claim->access_key != options_.access_key) {
    return bad_key();
  }
  const auto& signed_headers = claim->signed_headers;
  if (std::ranges::find(signed_headers, "host") == signed_headers.end() || request.header("host").empty()) {
    return bad_signature();
  }
  const auto query = signed_query(request);
  const aws::RequestParts parts{request.method, "/", query, request.headers, request.body};
  if (!equal_constant_time(aws::expected_signature(parts, *claim, date, options_.secret_key),
                           claim->signature)) {
    return bad_signature();
  }
  if (claim->scope.service != "ec2" && claim->scope.service != "sts") {
    return ec2_error("SignatureDoesNotMatch", "Credential should be scoped to correct service: 'ec2'.");
  }
  if (claim->scope.region != options_.region) {
    return ec2_error("SignatureDoesNotMatch",
                     "Credential should be scoped to a valid region, not '" + claim->scope.region + "'.");
  }
  // In microseconds: the nanoseconds of system_clock end long before the year 9999 that a request may name.
  const Micros skew = SystemClock().wall() + faults_.clock_offset() - *time;
  auto life = kSkewMax;
  if (presigned) {
    const auto seconds = parse_int(request.query_value("X-Amz-Expires").value_or("")).value_or(0);
    if (seconds < 1 || seconds > kExpiresMax) return bad_parameter("X-Amz-Expires", std::to_string(seconds));
    life = Seconds(seconds);
  }
  if (skew > life || skew < -kSkewMax) return ec2_error("RequestExpired", "Request has expired.");
  return Ok{};
}

Result<Params> Ec2Endpoint::read(const http::Request& request) const {
  const bool get = request.method == "GET";
  if ((!get && request.method != "POST") || request.path != "/" || (!get && !request.query.empty())) {
    return ec2_error(
        "InvalidRequest",
        "Send POST / with the parameters as a form in the body, or GET / with them in the query.");
  }
  if (auto known = authenticate(request); !known.ok()) return known.error();
  const auto parsed = get ? make_params(own_query(request)) : parse_params(request.body);
  if (!parsed.ok()) return parsed.error();
  const Params& params = *parsed;
  if (params.text("Action").empty())
    return ec2_error("MissingAction", "The request must contain the parameter Action");
  if (params.text("Version").empty()) {
    return ec2_error("MissingParameter", "The request must contain the parameter Version");
  }
  if (!Ec2Service::knows(params.text("Action"))) {
    return ec2_error("InvalidAction",
                     "The action '" + params.text("Action") + "' is not valid for this web service.");
  }
  const auto version = params.text("Action") == "GetCallerIdentity" ? kStsVersion : kEc2Version;
  if (params.text("Version") != version) {
    return ec2_error("NoSuchVersion",
                     "The requested version (" + params.text("Version") + ") does not exist");
  }
  return params;
}

void Ec2Endpoint::on_request(http::Request request, http::Reply reply) {
  const auto request_id = to_string(make_random_uuid());
  const auto params = read(request);
  if (!params.ok()) return reply.send(failure(params.error(), request_id));
  const auto action = params->text("Action");
  const auto suffers = faults_.on_call(action, is_unfiltered(*params), instances_in(action, *params));
  auto answer = [this, action, params = *params, suffers, request_id, reply] {
    reply.send(execute(action, params, suffers, request_id));
  };
  if (suffers.delay.count() > 0) {
    loop_.after(suffers.delay, std::move(answer));
  } else {
    answer();
  }
}

http::Response Ec2Endpoint::execute(const std::string& action, const Params& params,
                                    const CallFaults& suffers, const std::string& request_id) const {
  if (suffers.throttled)
    return failure(ec2_error("RequestLimitExceeded", "Request limit exceeded."), request_id);
  if (suffers.error) return failure(*suffers.error, request_id);
  const auto result = service_.call(action, params);
  auto response = result.ok() ? respond(200, ec2_response(action, request_id, *result), request_id)
                              : failure(result.error(), request_id);
  response.abandon = suffers.lose_reply;
  if (auto* body = std::get_if<std::string>(&response.body); suffers.truncate && body != nullptr) {
    body->resize(body->size() / 2);
  }
  return response;
}

}  // namespace drover::localcloud
