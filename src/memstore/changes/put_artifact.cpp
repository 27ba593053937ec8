#include <algorithm>

#include "changes/define.hpp"

namespace drover::memstore {

using ports::PutArtifact;

template <>
struct InMemory<PutArtifact> {
  static Result<PutArtifact::Answer> carry_out(Data& data, const PutArtifact& put) {
    if (Status good = check_text(put.name); !good.ok()) return good.error();
    const Lease* lease = data.lease(put.job);
    if (lease == nullptr || lease->attempt != put.attempt || lease->token_hash != put.token_hash) {
      return stale("attempt " + std::to_string(put.attempt) + " of job " + std::to_string(put.job.value) +
                   " is not open with this token");
    }
    // Version 1 of the worker program sends a checkpoint as an artifact of this name.
    const bool old = put.name == "checkpoint.tar.gz" && data.versions[lease->worker] == "1";
    const std::string name = old ? std::string(ports::kCheckpointName) : put.name;
    const auto others = std::ranges::count_if(data.artifacts, [&](const auto& entry) {
      const auto& [job, other] = entry.first;
      return job == put.job && other != ports::kCheckpointName && other != name &&
             entry.second.contains(put.attempt);
    });
    if (name != ports::kCheckpointName && others >= ports::kArtifactsOfAttempt) {
      return too_large("an attempt has at most " + std::to_string(ports::kArtifactsOfAttempt) + " artifacts");
    }
    data.artifacts[{put.job, name}][put.attempt] = {put.attempt, name, put.size, put.sha256, put.now};
    data.happened("artifact", put.job.value);
    return PutArtifact::Answer{};
  }
};
DROVER_IN_MEMORY(ports::PutArtifact)

}  // namespace drover::memstore
