#include "drover/aws/ec2_errors.hpp"

#include <array>

namespace drover::aws {
namespace {

using enum core::CloudErrorClass;

struct Rule {
  std::string_view code;  // with '*' at the end: any code that starts so
  core::CloudErrorClass error_class;
};

// The first rule that matches wins: exact codes stand before the prefixes that would swallow them.
constexpr std::array kRules{
    Rule{"InsufficientInstanceCapacity", pool},
    Rule{"UnfulfillableCapacity", pool},
    Rule{"InsufficientHostCapacity", pool},
    Rule{"InsufficientCapacityOnHost", pool},
    Rule{"InsufficientReservedInstanceCapacity", pool},
    Rule{"Unsupported", pool},
    Rule{"SpotMaxPriceTooLow", pool},
    Rule{"ReservationCapacityExceeded", pool},
    Rule{"InsufficientFreeAddressesInSubnet", subnet},
    Rule{"MaxSpotInstanceCountExceeded", account},
    Rule{"VcpuLimitExceeded", account},
    Rule{"InstanceLimitExceeded", account},
    Rule{"ResourceCountExceeded", account},
    Rule{"ResourceLimitExceeded", account},
    Rule{"TargetCapacityLimitExceededException", account},
    Rule{"MaxFleetCountExceeded", account},
    Rule{"VolumeLimitExceeded", account},
    Rule{"PendingVerification", account},
    Rule{"RequestLimitExceeded", throttle},
    Rule{"RequestThrottled*", throttle},
    Rule{"Throttl*", throttle},
    Rule{"EC2ThrottledException", throttle},
    Rule{"TooManyRequests*", throttle},
    Rule{"SlowDown", throttle},
    Rule{"InternalError", transient},
    Rule{"InternalFailure", transient},
    Rule{"ServerInternal", transient},
    Rule{"ServiceUnavailable*", transient},
    Rule{"Unavailable", transient},
    Rule{"RequestTimeout*", transient},
    Rule{"AuthFailure.ServiceLinkedRoleCreationNotPermitted", permission},
    Rule{"RequestExpired", credentials},
    Rule{"ExpiredToken*", credentials},
    Rule{"InvalidClientTokenId", credentials},
    Rule{"AuthFailure*", credentials},
    Rule{"SignatureDoesNotMatch", credentials},
    Rule{"IncompleteSignature", credentials},
    Rule{"RequestTimeTooSkewed", credentials},
    Rule{"MissingAuthenticationToken*", credentials},
    Rule{"UnrecognizedClientException", credentials},
    Rule{"InvalidIdentityToken", credentials},
    Rule{"UnauthorizedOperation", permission},
    Rule{"AccessDenied*", permission},
    Rule{"OptInRequired", permission},
    Rule{"Blocked", permission},
    Rule{"InvalidInstanceID*", id},
    Rule{"IdempotentParameterMismatch", idempotency},
    Rule{"IdempotentInstanceTerminated", idempotency},
    Rule{"InvalidNextToken", paging},
    Rule{"InvalidPaginationToken", paging},
    Rule{"InvalidMaxResults", paging},
    Rule{"OperationNotPermitted", protection},
    Rule{"Invalid*", config},
    Rule{"Missing*", config},
    Rule{"Malformed*", config},
    Rule{"UnknownParameter", config},
    Rule{"UnsupportedOperation", config},
    Rule{"ValidationError", config},
};

bool matches(std::string_view pattern, std::string_view code) {
  if (!pattern.ends_with('*')) return pattern == code;
  return code.starts_with(pattern.substr(0, pattern.size() - 1));
}

core::CloudErrorClass classify_status(int status) {
  if (status == 401) return credentials;
  if (status == 403) return permission;
  if (status == 429) return throttle;
  if (status >= 500) return transient;
  return unknown;
}

}  // namespace

core::CloudErrorClass classify_ec2_error(std::string_view code, int http_status) {
  for (const std::string_view side : {"Client.", "Server."}) {
    if (code.starts_with(side)) code.remove_prefix(side.size());
  }
  for (const auto& rule : kRules) {
    if (matches(rule.code, code)) return rule.error_class;
  }
  return classify_status(http_status);
}

}  // namespace drover::aws
