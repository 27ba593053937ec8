#pragma once

#include <string>
#include <string_view>

#include "drover/base/result.hpp"

namespace drover::core {

// What a cloud error means for what to do next: the scopes of EC2's codes (EC2 API reference, "Error codes").
enum class CloudErrorClass {
  pool,         // no capacity for this type, zone and market: try another now, this one later
  subnet,       // no free address: all of this subnet's offerings
  account,      // a quota of the account, by market and group of families: back off for long, tell
  throttle,     // slow down, repeat with the same token
  transient,    // repeat with the same token
  credentials,  // refresh, correct the clock, once; then stop
  permission,   // denied, perhaps for this type, subnet or tag alone: leave it for long, tell
  config,       // the template is wrong, or does not go with this type or subnet: leave them for long, tell
  id,           // an instance id is not known (yet, or any more)
  idempotency,  // a new intent with a new token
  paging,       // start the listing again
  protection,   // the instance is protected from being ended: tell
  unknown,      // treated as transient, with a bound
};
std::string_view to_string(CloudErrorClass error_class);

// Why a call of the cloud failed. The same value goes from the client to the planner, the log and /explain,
// so that no code has to take a text apart.
struct CloudError {
  CloudErrorClass error_class = CloudErrorClass::unknown;
  std::string code;     // the cloud's own, "InsufficientInstanceCapacity", or one of the client's: "Timeout"
  std::string message;  // a sentence, without the code
  bool operator==(const CloudError&) const = default;
};

// "InsufficientInstanceCapacity: We have no …": for people who know what was asked.
[[nodiscard]] std::string describe(const CloudError& error);
// "pool/InsufficientInstanceCapacity: We have no …": for logs, and kept with a launch.
[[nodiscard]] std::string describe_with_class(const CloudError& error);

template <class T>
using CloudResult = Result<T, CloudError>;
using CloudStatus = CloudResult<Ok>;

}  // namespace drover::core
