#include "drover/aws/ec2_errors.hpp"

#include <gtest/gtest.h>

namespace drover::aws {
namespace {

using core::CloudErrorClass;

struct Case {
  CloudErrorClass error_class;
  std::vector<const char*> codes;
};

const std::vector<Case> kCases{
    {CloudErrorClass::pool,
     {"InsufficientInstanceCapacity", "UnfulfillableCapacity", "InsufficientHostCapacity",
      "InsufficientCapacityOnHost", "Unsupported", "SpotMaxPriceTooLow", "ReservationCapacityExceeded"}},
    {CloudErrorClass::subnet, {"InsufficientFreeAddressesInSubnet"}},
    {CloudErrorClass::account,
     {"MaxSpotInstanceCountExceeded", "VcpuLimitExceeded", "InstanceLimitExceeded", "ResourceCountExceeded",
      "TargetCapacityLimitExceededException", "MaxFleetCountExceeded", "VolumeLimitExceeded",
      "PendingVerification"}},
    {CloudErrorClass::throttle,
     {"RequestLimitExceeded", "Throttling", "ThrottlingException", "RequestThrottled",
      "EC2ThrottledException", "SlowDown", "Client.RequestLimitExceeded"}},
    {CloudErrorClass::transient,
     {"InternalError", "InternalFailure", "ServerInternal", "ServiceUnavailable", "Unavailable",
      "Server.InternalError"}},
    {CloudErrorClass::credentials,
     {"RequestExpired", "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "AuthFailure",
      "SignatureDoesNotMatch", "UnrecognizedClientException"}},
    {CloudErrorClass::permission,
     {"UnauthorizedOperation", "OptInRequired", "Blocked",
      "AuthFailure.ServiceLinkedRoleCreationNotPermitted"}},
    {CloudErrorClass::config,
     {"InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidSubnetID.NotFound", "InvalidGroup.NotFound",
      "InvalidKeyPair.NotFound", "InvalidLaunchTemplateName.NotFoundException", "InvalidParameterValue",
      "InvalidParameterCombination", "MissingParameter", "InvalidUserData.Malformed",
      "InvalidBlockDeviceMapping"}},
    {CloudErrorClass::id, {"InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"}},
    {CloudErrorClass::idempotency, {"IdempotentParameterMismatch", "IdempotentInstanceTerminated"}},
    {CloudErrorClass::paging, {"InvalidNextToken", "InvalidPaginationToken", "InvalidMaxResults"}},
    {CloudErrorClass::protection, {"OperationNotPermitted"}},
};

TEST(Ec2Errors, TheCodeDecidesWhateverTheStatus) {
  for (const auto& row : kCases) {
    for (const char* code : row.codes) {
      for (const int status : {400, 403, 500, 503}) {
        EXPECT_EQ(classify_ec2_error(code, status), row.error_class) << code << ' ' << status;
      }
    }
  }
}

TEST(Ec2Errors, TheStatusDecidesForUnknownCodes) {
  for (const char* code : {"", "SomethingNew", "insufficientinstancecapacity"}) {
    for (const int status : {500, 502, 503, 504}) {
      EXPECT_EQ(classify_ec2_error(code, status), CloudErrorClass::transient) << code << ' ' << status;
    }
    EXPECT_EQ(classify_ec2_error(code, 429), CloudErrorClass::throttle);
    EXPECT_EQ(classify_ec2_error(code, 401), CloudErrorClass::credentials);
    EXPECT_EQ(classify_ec2_error(code, 403), CloudErrorClass::permission);
    EXPECT_EQ(classify_ec2_error(code, 400), CloudErrorClass::unknown);
    EXPECT_EQ(classify_ec2_error(code, 302), CloudErrorClass::unknown);
  }
}

TEST(CloudErrors, AreTextForPeopleAndForLogs) {
  const core::CloudError error{core::CloudErrorClass::pool, "InsufficientInstanceCapacity", "none left"};
  EXPECT_EQ(describe(error), "InsufficientInstanceCapacity: none left");
  EXPECT_EQ(describe_with_class(error), "pool/InsufficientInstanceCapacity: none left");
}

}  // namespace
}  // namespace drover::aws
