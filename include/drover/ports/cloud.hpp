#pragma once

#include <span>
#include <string>
#include <vector>

#include "drover/base/result.hpp"
#include "drover/core/fleet.hpp"

namespace drover::ports {

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

// Error::detail of every error below holds "<class>/<code>", for instance
// "pool/InsufficientInstanceCapacity".
CloudErrorClass cloud_error_class(const Error& error);
std::string cloud_error_code(const Error& error);
Error make_cloud_error(CloudErrorClass error_class, std::string code, std::string message);

// The machines. Blocking; each call bounded in time; thread-safe.
class Cloud {
 public:
  virtual ~Cloud() = default;
  // Asks for request.count machines at once; fewer may come (at least one). Repeats with the same client
  // token are the same launch.
  virtual Result<std::vector<core::Instance>> run_instances(const core::LaunchRequest& request) = 0;
  // All instances that carry the tag, in every state, all pages or an error. Never a part of them.
  virtual Result<std::vector<core::Instance>> list_by_tag(const std::string& key,
                                                          const std::string& value) = 0;
  // Those of `ids` that the cloud knows; the unknown are left out. An empty span answers empty without a
  // call.
  virtual Result<std::vector<core::Instance>> list_by_id(std::span<const std::string> ids) = 0;
  // Idempotent; an id that is not known any more counts as terminated. An empty span does nothing. An error
  // of class protection or id names those that were refused for themselves; all others were terminated.
  virtual Status terminate(std::span<const std::string> ids) = 0;
};

}  // namespace drover::ports
