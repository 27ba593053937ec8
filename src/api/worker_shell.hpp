#pragma once

#include <string>
#include <string_view>

#include "bodies.hpp"

namespace drover::api {

// What workers are answered as shell assignments, safely quoted, for the worker program to source
// (docs/worker-protocol.md).
std::string registered_sh(const Registered& answer);
std::string claim_sh(const engine::ClaimAnswer& answer);
std::string heartbeat_sh(const engine::HeartbeatAnswer& answer);
std::string report_sh(const engine::ReportAnswer& answer);

// The task of a claimed job, from its stored text. A text that cannot be read, which somebody has written by
// hand in SQL, becomes a command that says so in the job's own log and fails.
schema::Task claimed_task(std::string_view text);
// Where a job's checkpoint is fetched, below the daemon's URL.
std::string checkpoint_path(std::string_view job);

}  // namespace drover::api
