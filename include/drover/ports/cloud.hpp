#pragma once

#include <span>
#include <string>
#include <vector>

#include "drover/core/fleet/cloud_error.hpp"
#include "drover/core/fleet/facts.hpp"

namespace drover::ports {

// The machines. Blocking; each call bounded in time; thread-safe.
class Cloud {
 public:
  virtual ~Cloud() = default;
  // Asks for request.count machines at once; fewer may come (at least one). Repeats with the same client
  // token are the same launch.
  virtual core::CloudResult<std::vector<core::Instance>> run_instances(
      const core::LaunchRequest& request) = 0;
  // All instances that carry the tag, in every state, all pages or an error. Never a part of them.
  virtual core::CloudResult<std::vector<core::Instance>> list_by_tag(const std::string& key,
                                                                     const std::string& value) = 0;
  // Those of `ids` that the cloud knows; the unknown are left out. An empty span answers empty without a
  // call.
  virtual core::CloudResult<std::vector<core::Instance>> list_by_id(std::span<const std::string> ids) = 0;
  // Idempotent; an id that is not known any more counts as terminated. An empty span does nothing. An error
  // of class protection or id names those that were refused for themselves; all others were terminated.
  virtual core::CloudStatus terminate(std::span<const std::string> ids) = 0;
};

}  // namespace drover::ports
