#include "drover/aws/ec2_cloud.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <thread>
#include <utility>

#include "drover/aws/ec2_errors.hpp"
#include "drover/aws/ec2_xml.hpp"
#include "drover/base/http_date.hpp"
#include "drover/base/limits.hpp"
#include "drover/base/log.hpp"
#include "drover/base/text.hpp"

namespace drover::aws {
namespace {

using core::CloudError;
using core::CloudErrorClass;
using core::CloudResult;
using core::CloudStatus;

constexpr std::string_view kContentType = "application/x-www-form-urlencoded; charset=utf-8";
constexpr const char* kReplyTooLarge = "ReplyTooLarge";
constexpr int kPageSize = 1000;
constexpr std::size_t kFilterValues = 200;  // EC2's bound on the values of one call's filters
constexpr int kListings = 3;                // starts of a listing whose page token went bad
constexpr Millis kTransientBase{200};
constexpr Millis kThrottleBase{1000};
constexpr Millis kDelayCap{20'000};
constexpr Millis kRatePatience{5000};
constexpr Seconds kSkewTolerated{30};

// EC2 API throttling, default rates: bucket sizes and refills per second.
TokenBucket bucket(double share, double capacity, double refill) {
  return share > 0 ? TokenBucket(std::max(1.0, capacity * share), refill * share) : TokenBucket(1, 1);
}

CloudError refuse(std::string code, std::string message) {
  return CloudError{CloudErrorClass::config, std::move(code), std::move(message)};
}

CloudStatus check_launch(const core::LaunchRequest& request) {
  const auto& token = request.client_token;
  const bool ascii = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (token.empty() || token.size() > 64 || !ascii) {
    return refuse("InvalidClientToken", "a launch needs a client token of 1 to 64 visible ASCII characters");
  }
  if (request.count < 1) return refuse("InvalidParameterValue", "a launch asks for at least one instance");
  if (request.image.empty()) return refuse("MissingParameter", "the pool names no image");
  if (request.instance_type.empty()) return refuse("MissingParameter", "the pool names no instance type");
  if (request.user_data.size() > limits::kUserDataBytes) {
    return refuse("InvalidUserData.Malformed", "the user data exceeds EC2's 16 KiB");
  }
  return Ok{};
}

// Whether the call may have taken effect although it failed.
bool is_unanswered(const CloudError& error) {
  return error.error_class == CloudErrorClass::transient || error.code == kReplyTooLarge;
}

// A listing can show an instance on two pages when it changes between them: the later one is the newer.
std::vector<core::Instance> without_repetition(std::vector<core::Instance> instances) {
  std::set<std::string> seen;
  std::vector<core::Instance> out;
  for (auto at = instances.rbegin(); at != instances.rend(); ++at) {
    if (seen.insert(at->id).second) out.push_back(std::move(*at));
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace

struct Ec2Cloud::Failure {
  CloudError error;
  bool answered = false;                // with an error status
  std::optional<WallTime> server_time;  // the answer's Date
  Millis asked_delay{0};                // x-amz-retry-after
};

Result<std::unique_ptr<Ec2Cloud>> Ec2Cloud::make(Ec2Options options, Ec2Tools tools) {
  if (options.region.empty()) return invalid("region", "no AWS region is set");
  auto endpoint =
      parse_endpoint(options.endpoint.empty() ? default_endpoint("ec2", options.region) : options.endpoint);
  if (!endpoint.ok()) return endpoint.error();
  if (!tools.sleep) tools.sleep = [](Millis time) { std::this_thread::sleep_for(time); };
  if (!tools.uniform) tools.uniform = random_uniform;
  return std::unique_ptr<Ec2Cloud>(new Ec2Cloud(std::move(options), std::move(tools), std::move(*endpoint)));
}

Ec2Cloud::Ec2Cloud(Ec2Options options, Ec2Tools tools, Endpoint endpoint)
    : options_(std::move(options)),
      tools_(std::move(tools)),
      endpoint_(std::move(endpoint)),
      describe_rate_(bucket(options_.rate_share, 100, 20)),
      run_rate_(bucket(options_.rate_share, 5, 2)),
      launched_rate_(bucket(options_.rate_share, 1000, 2)),
      terminate_rate_(bucket(options_.rate_share, 100, 5)) {}

CloudStatus Ec2Cloud::call(TokenBucket& bucket, const std::string& body, const Accept& accept) {
  bool recovered = false;
  for (int attempt = 1;;) {
    if (auto paid = spend(bucket, 1); !paid.ok()) return paid;
    auto failure = try_once(body, accept);
    if (!failure) return Ok{};
    const auto error_class = failure->error.error_class;
    if (error_class == CloudErrorClass::credentials && !recovered && failure->answered) {
      recovered = true;
      recover_credentials(*failure);
      continue;
    }
    const bool again = error_class == CloudErrorClass::throttle || error_class == CloudErrorClass::transient;
    if (!again || attempt >= options_.tries) return std::move(failure->error);
    if (error_class == CloudErrorClass::throttle) {
      const std::lock_guard lock(rate_mutex_);
      bucket.drain(tools_.clock.steady());
    }
    tools_.sleep(delay_after(*failure, attempt));
    ++attempt;
  }
}

std::optional<Ec2Cloud::Failure> Ec2Cloud::try_once(const std::string& body, const Accept& accept) {
  const auto failed = [](CloudErrorClass error_class, std::string code, std::string message) {
    Failure failure;
    failure.error = CloudError{error_class, std::move(code), std::move(message)};
    return failure;
  };
  const auto credentials = tools_.credentials.get();
  if (!credentials.ok())
    return failed(CloudErrorClass::credentials, "NoCredentials", credentials.error().message);
  const auto reply = send_signed(body, *credentials);
  if (!reply.ok()) {
    const auto& error = reply.error();
    if (error.code == Errc::too_large) return failed(CloudErrorClass::unknown, kReplyTooLarge, error.message);
    return failed(CloudErrorClass::transient, error.code == Errc::timeout ? "Timeout" : "NoAnswer",
                  error.message);
  }
  if (reply->status == 200) {
    const auto understood = accept(reply->body);
    if (understood.ok()) return std::nullopt;
    return failed(CloudErrorClass::transient, "InvalidReply", understood.error().message);
  }
  const auto said = parse_aws_error(reply->body).value_or(AwsErrorReply{});
  const auto code = said.code.empty() ? "Http" + std::to_string(reply->status) : said.code;
  const auto text = said.message.empty() ? "status " + std::to_string(reply->status) : said.message;
  auto failure = failed(classify_ec2_error(said.code, reply->status), code, text);
  failure.answered = true;
  failure.server_time = parse_http_date(reply->header("date"));
  failure.asked_delay =
      Millis(std::max<std::int64_t>(0, parse_int(reply->header("x-amz-retry-after")).value_or(0)));
  return failure;
}

Result<ports::HttpReply> Ec2Cloud::send_signed(const std::string& body, const Credentials& credentials) {
  ports::HttpRequest request;
  request.method = "POST";
  request.url = endpoint_.url;
  request.headers = {{"Content-Type", std::string(kContentType)}, {"Host", endpoint_.host}};
  request.body = body;
  request.connect_timeout = options_.connect_timeout;
  request.total_timeout = options_.total_timeout;
  request.max_reply_bytes = limits::kCloudReplyBytes;

  RequestParts parts;
  parts.path = endpoint_.path;
  parts.headers = request.headers;
  parts.body = request.body;
  const WallTime now = tools_.clock.wall() + Micros(clock_offset_us_.load());
  auto added = sign(parts, credentials, now, options_.region, "ec2");
  request.headers.insert(request.headers.end(), std::make_move_iterator(added.begin()),
                         std::make_move_iterator(added.end()));
  return tools_.http.send(request);
}

void Ec2Cloud::recover_credentials(const Failure& failure) {
  (void)tools_.credentials.refresh();  // its failure shows in the next get()
  if (!failure.server_time) return;
  const Micros old_offset(clock_offset_us_.load());
  const Micros offset = *failure.server_time - tools_.clock.wall();
  if (std::chrono::abs(offset - old_offset) <= kSkewTolerated) return;
  clock_offset_us_ = offset.count();
  log_warn("this machine's clock differs from AWS's by {} s; requests are signed with AWS's time",
           std::chrono::duration_cast<Seconds>(offset).count());
}

// Full jitter: anything from nothing to a bound that doubles with each try.
Millis Ec2Cloud::delay_after(const Failure& failure, int attempt) const {
  const auto base = failure.error.error_class == CloudErrorClass::throttle ? kThrottleBase : kTransientBase;
  const auto bound = std::min(kDelayCap, base * (1 << std::min(attempt, 10)));
  const Millis jittered{static_cast<Millis::rep>(static_cast<double>(bound.count()) * tools_.uniform())};
  return std::min(kDelayCap, std::max(jittered, failure.asked_delay));
}

CloudStatus Ec2Cloud::spend(TokenBucket& bucket, double tokens) {
  if (options_.rate_share <= 0) return Ok{};
  std::optional<Millis> wait;
  {
    const std::lock_guard lock(rate_mutex_);
    wait = bucket.take(tokens, tools_.clock.steady(), kRatePatience);
  }
  if (!wait) {
    return CloudError{CloudErrorClass::throttle, "LocalRate",
                      "the share of EC2's request rate that is ours is used up; try again later"};
  }
  if (wait->count() > 0) tools_.sleep(*wait);
  return Ok{};
}

void Ec2Cloud::give_back(TokenBucket& bucket, double tokens) {
  if (options_.rate_share <= 0 || tokens <= 0) return;
  const std::lock_guard lock(rate_mutex_);
  bucket.give_back(tokens);
}

CloudResult<std::vector<core::Instance>> Ec2Cloud::run_instances(const core::LaunchRequest& request) {
  if (auto checked = check_launch(request); !checked.ok()) return checked.error();
  const auto body = launch_body(request);
  if (!body.ok()) return body.error();
  if (auto paid = spend(launched_rate_, request.count); !paid.ok()) return paid.error();
  std::vector<core::Instance> instances;
  const auto done = call(run_rate_, *body, [&](std::string_view reply) {
    auto parsed = parse_run_instances(reply);
    if (!parsed.ok()) return Status(parsed.error());
    instances = std::move(*parsed);
    return Status(Ok{});
  });
  const bool may_have_come = !done.ok() && is_unanswered(done.error());
  if (!may_have_come) give_back(launched_rate_, request.count - static_cast<double>(instances.size()));
  if (!done.ok()) return done.error();
  return instances;
}

CloudStatus Ec2Cloud::try_run_instances(const core::LaunchRequest& request) {
  if (auto checked = check_launch(request); !checked.ok()) return checked.error();
  const auto body = launch_body(request);
  if (!body.ok()) return body.error();
  return dry_run(run_rate_, *body);
}

CloudStatus Ec2Cloud::try_terminate(const std::string& id) {
  return dry_run(terminate_rate_, encode_terminate_instances(std::span(&id, 1)));
}

// EC2 answers a dry run that it would carry out with an error, DryRunOperation.
CloudStatus Ec2Cloud::dry_run(TokenBucket& bucket, const std::string& body) {
  CloudStatus done = call(bucket, body + "&DryRun=true", [](std::string_view) { return Status(Ok{}); });
  if (done.ok()) return refuse("NoDryRun", "the endpoint took a dry run for a call");
  if (done.error().code == "DryRunOperation") return Ok{};
  return done;
}

CloudResult<std::vector<core::Instance>> Ec2Cloud::list_by_tag(const std::string& key,
                                                               const std::string& value) {
  if (key.empty() || value.empty()) return refuse("MissingParameter", "a listing needs a tag and its value");
  return list({"tag:" + key, {literal_filter_value(value)}});
}

CloudResult<std::vector<core::Instance>> Ec2Cloud::list_by_id(std::span<const std::string> ids) {
  // A wildcard in the filter would also find instances that were not asked for.
  std::vector<std::string> known;
  std::copy_if(ids.begin(), ids.end(), std::back_inserter(known), core::is_instance_id);
  std::vector<core::Instance> out;
  for (std::size_t from = 0; from < known.size(); from += kFilterValues) {
    const auto to = std::min(known.size(), from + kFilterValues);
    auto part = list({"instance-id",
                      {known.begin() + static_cast<std::ptrdiff_t>(from),
                       known.begin() + static_cast<std::ptrdiff_t>(to)}});
    if (!part.ok()) return part;
    out.insert(out.end(), std::make_move_iterator(part->begin()), std::make_move_iterator(part->end()));
  }
  return without_repetition(std::move(out));
}

CloudResult<std::vector<core::Instance>> Ec2Cloud::list(const Filter& filter) {
  for (int listing = 1;; ++listing) {
    auto all = list_once(filter);
    if (all.ok() || listing == kListings || all.error().error_class != CloudErrorClass::paging) return all;
  }
}

CloudResult<std::vector<core::Instance>> Ec2Cloud::list_once(const Filter& filter) {
  DescribeInstancesQuery query{{filter}, {}, kPageSize, {}};
  std::vector<core::Instance> all;
  for (int pages = 0; pages < limits::kCloudPages; ++pages) {
    InstancePage page;
    const auto done = call(describe_rate_, encode_describe_instances(query), [&](std::string_view body) {
      auto parsed = parse_describe_instances(body);
      if (!parsed.ok()) return Status(parsed.error());
      page = std::move(*parsed);
      return Status(Ok{});
    });
    if (!done.ok()) return done.error();
    all.insert(all.end(), std::make_move_iterator(page.instances.begin()),
               std::make_move_iterator(page.instances.end()));
    if (page.next_token.empty()) return without_repetition(std::move(all));
    if (page.next_token == query.next_token) break;
    query.next_token = std::move(page.next_token);
  }
  return CloudError{CloudErrorClass::paging, "EndlessListing", "EC2's listing does not end"};
}

}  // namespace drover::aws
