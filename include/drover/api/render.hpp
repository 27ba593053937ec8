#pragma once

#include <optional>
#include <string>

#include "drover/base/json.hpp"
#include "drover/services/services.hpp"

namespace drover::api {

// Rows as the native JSON. Pure. Absent values are null; times are RFC 3339 in UTC.
Json job_json(const ports::JobRow& row);
Json attempt_json(const ports::AttemptRow& row);
Json artifact_json(const ports::ArtifactRow& row);
// `running`: jobs that it runs at this moment; absent when that is not known.
Json worker_json(const ports::WorkerRow& row, std::optional<int> running = std::nullopt);
Json pool_json(const ports::PoolRow& row);
Json tunables_json(const core::Tunables& tunables);
// {"number", "state", "summary", "reasons": [{"code", "message", …}]}
Json explanation_json(const services::Explanation& explanation);

// Content-Disposition of a download: the name in quotes with everything doubtful replaced, and exactly in
// filename*.
std::string attachment(std::string_view name);
// What a download of this artifact is called: the last part of its name. A browser would change the rest.
std::string_view download_name(std::string_view artifact);

// ---- what workers are answered, as JSON and as shell assignments (docs/worker-protocol.md)

Json registered_json(const engine::Registered& answer, const std::string& token);
std::string registered_sh(const engine::Registered& answer, const std::string& token);
Json claim_json(const engine::ClaimAnswer& answer);
std::string claim_sh(const engine::ClaimAnswer& answer);
Json heartbeat_json(const engine::HeartbeatAnswer& answer);
std::string heartbeat_sh(const engine::HeartbeatAnswer& answer);
Json report_json(const engine::ReportAnswer& answer);
std::string report_sh(const engine::ReportAnswer& answer);

// Where a job's checkpoint is fetched, below the daemon's URL.
std::string checkpoint_path(std::string_view job);

}  // namespace drover::api
