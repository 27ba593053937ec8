#include "drover/base/log.hpp"

#include "executor.hpp"

namespace drover::reconcile {
namespace {

// The client's message names the code for those who show nothing else; here the code stands apart already.
std::string cloud_words(const Error& error) {
  const std::string lead = "EC2 refused with " + ports::cloud_error_code(error) + ": ";
  return error.message.starts_with(lead) ? error.message.substr(lead.size()) : error.message;
}

}  // namespace

std::string cloud_error_text(const Error& error) {
  const auto error_class = ports::to_string(ports::cloud_error_class(error));
  const std::string code = ports::cloud_error_code(error);
  return std::string(error_class) + "/" + (code.empty() ? "none" : code) + ": " + cloud_words(error);
}

CountedCloud::CountedCloud(ports::Cloud& cloud, const Clock& clock, ports::Metrics& metrics,
                           std::function<void()> on_progress)
    : cloud_(cloud), clock_(clock), metrics_(metrics), on_progress_(std::move(on_progress)) {}

// A call that failed is progress too: the watchdog asks whether the loop lives, not whether the cloud does.
template <class T>
Result<T> CountedCloud::counted(const char* call, Result<T> result) {
  on_progress_();
  if (result) {
    metrics_.add("drover_cloud_calls_total", 1, {{"call", call}, {"outcome", "ok"}});
    if (trouble && trouble->call == call) trouble.reset();
    return result;
  }
  const Error& error = result.error();
  const auto error_class = ports::to_string(ports::cloud_error_class(error));
  metrics_.add("drover_cloud_calls_total", 1, {{"call", call}, {"outcome", error_class}});
  log_warn("cloud: {} failed: {}", call, cloud_error_text(error));
  trouble = CloudTrouble{
      call, std::string(error_class), ports::cloud_error_code(error), cloud_words(error), clock_.wall(), {}};
  return result;
}

Result<std::vector<core::Instance>> CountedCloud::list(const std::string& deployment) {
  return counted("list", cloud_.list_by_tag(std::string(core::kDeploymentTag), deployment));
}

Result<std::vector<core::Instance>> CountedCloud::look_up(std::span<const std::string> ids) {
  return counted("look_up", cloud_.list_by_id(ids));
}

Result<std::vector<core::Instance>> CountedCloud::launch(const core::LaunchRequest& request) {
  return counted("launch", cloud_.run_instances(request));
}

Status CountedCloud::terminate(std::span<const std::string> ids) {
  return counted("terminate", cloud_.terminate(ids));
}

}  // namespace drover::reconcile
