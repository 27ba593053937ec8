#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "process.hpp"

namespace drover::localcloud {

// The instance's supervisor, as it wrote of itself; nullopt before it has started.
std::optional<ProcessMark> supervisor_of(const InstancePaths& paths);
// The port of its IMDS; 0 before it has started.
int imds_port_of(const InstancePaths& paths);
// A handle of the live supervisor; nullptr when there is none.
std::shared_ptr<const ProcessHandle> open_supervisor(const InstancePaths& paths);
// Why an instance whose supervisor ended by itself is gone: state reason code and message.
std::pair<std::string, std::string> end_reason(const InstancePaths& paths);

}  // namespace drover::localcloud
