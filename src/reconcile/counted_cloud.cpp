#include "drover/base/log.hpp"

#include "executor.hpp"

namespace drover::reconcile {

CountedCloud::CountedCloud(ports::Cloud& cloud, const Clock& clock, ports::Metrics& metrics,
                           std::function<void()> on_progress)
    : cloud_(cloud), clock_(clock), metrics_(metrics), on_progress_(std::move(on_progress)) {}

// A failed call is progress too: the watchdog is to restart a loop that hangs, not one whose cloud is away.
template <class T>
core::CloudResult<T> CountedCloud::counted(const char* call, core::CloudResult<T> result) {
  on_progress_();
  if (result.ok()) {
    metrics_.add("drover_cloud_calls_total", 1, {{"call", call}, {"outcome", "ok"}});
    if (trouble && trouble->call == call) trouble.reset();
    return result;
  }
  const core::CloudError& error = result.error();
  metrics_.add("drover_cloud_calls_total", 1,
               {{"call", call}, {"outcome", core::to_string(error.error_class)}});
  log_warn("cloud: {} failed: {}", call, core::describe_with_class(error));
  trouble = CloudTrouble{call, error, clock_.wall(), {}};
  return result;
}

core::CloudResult<std::vector<core::Instance>> CountedCloud::list(const std::string& deployment) {
  return counted("list", cloud_.list_by_tag(std::string(core::kDeploymentTag), deployment));
}

core::CloudResult<std::vector<core::Instance>> CountedCloud::look_up(std::span<const std::string> ids) {
  return counted("look_up", cloud_.list_by_id(ids));
}

core::CloudResult<std::vector<core::Instance>> CountedCloud::launch(const core::LaunchRequest& request) {
  return counted("launch", cloud_.run_instances(request));
}

core::CloudStatus CountedCloud::terminate(std::span<const std::string> ids) {
  return counted("terminate", cloud_.terminate(ids));
}

}  // namespace drover::reconcile
