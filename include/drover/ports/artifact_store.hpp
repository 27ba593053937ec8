#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "drover/base/ids.hpp"
#include "drover/base/result.hpp"
#include "drover/base/secret.hpp"

namespace drover::ports {

struct StoredFile {
  std::string path;  // readable by this process
  std::int64_t size = 0;
};

// The name under which a checkpoint is kept. check_artifact_name refuses it, so that no job can have its own
// artifact taken for a checkpoint.
inline constexpr std::string_view kCheckpointName = "/checkpoint";
// The name under which an earlier version kept checkpoints, as artifacts like any other.
inline constexpr std::string_view kOldCheckpointName = "checkpoint.tar.gz";

// What an artifact may be called: at most 256 bytes of UTF-8 without control characters, in parts separated
// by '/', of which none is empty, "." or "..". Errc::invalid, saying this, otherwise.
Status check_artifact_name(std::string_view name);

inline constexpr int kArtifactsOfAttempt = 1000;  // that are kept, beside its checkpoint

// The bytes of jobs: artifacts, checkpoints, logs. Blocking, thread-safe. A name that check_artifact_name
// refuses is Errc::invalid, but for kCheckpointName. No space is Errc::storage_full.
class ArtifactStore {
 public:
  virtual ~ArtifactStore() = default;

  // A marker equal to the deployment's UUID: written by the first daemon, required of every later one.
  virtual Status check_marker(const Uuid& deployment) = 0;
  // A directory for bodies on their way in, on the same file system as the store.
  [[nodiscard]] virtual std::string spool_directory() const = 0;

  // Takes the file at `spooled` over as the artifact `name` of (job, attempt); durable (fsynced) when it
  // returns.
  virtual Result<Sha256> put(JobNumber job, int attempt, std::string_view name,
                             const std::string& spooled) = 0;
  virtual Result<StoredFile> get(JobNumber job, int attempt, std::string_view name) = 0;

  // Appends `data` at `offset`, which must be the present size; Errc::conflict otherwise, with the size to go
  // on from in Error::detail. Repeating a chunk that is already there entirely answers its end. Returns the
  // new size.
  virtual Result<std::int64_t> append_log(JobNumber job, int attempt, std::string_view stream,
                                          std::int64_t offset, std::string_view data) = 0;
  // not_found when nothing was written.
  virtual Result<StoredFile> log(JobNumber job, int attempt, std::string_view stream) = 0;
};

}  // namespace drover::ports
