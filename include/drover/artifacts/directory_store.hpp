#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "drover/ports/artifact_store.hpp"

namespace drover::artifacts {

// The bytes of jobs in a directory. Thread-safe, and safe between processes that share the directory.
//
//   <root>/deployment                                       the marker: the deployment's UUID
//   <root>/spool/                                           bodies on their way in
//   <root>/jobs/<number / 10^6>/<number / 10^3>/<number>/<attempt>.artifacts/<name>
//   <root>/jobs/…/<number>/<attempt>.artifacts.nested/<name>  of several parts: '/' is %2F in it, '%' is %25
//   <root>/jobs/…/<number>/<attempt>.artifacts.long/<sha256 of the name>  where that has more than 255 bytes
//   <root>/jobs/…/<number>/<attempt>.checkpoint/checkpoint.tar.gz  those kept before are among the artifacts
//   <root>/jobs/…/<number>/<attempt>.logs/<stream>
//
// so that no directory above a job's own holds more than a thousand entries. Below the root no symbolic link
// is followed. put and append_log return after file and directories are on the disk. The root is opened anew
// by every call: when it is unmounted the call fails with Errc::unavailable and writes nothing into the
// directory below the mount point.
class DirectoryStore final : public ports::ArtifactStore {
 public:
  // Makes `root` (mode 0700, parents must exist) and its spool directory where missing, and removes what
  // uploads cut off more than a day ago left in the spool.
  static Result<std::unique_ptr<DirectoryStore>> open(const std::string& root);

  // Also Errc::conflict: the marker is another deployment's, or is missing although jobs' bytes are there.
  Status check_marker(const Uuid& deployment) override;
  [[nodiscard]] std::string spool_directory() const override;

  // `spooled` must lie in spool_directory(); it is gone afterwards, whatever the answer. An artifact of the
  // same name is replaced in one step.
  Result<Sha256> put(JobNumber job, int attempt, std::string_view name, const std::string& spooled) override;
  Result<ports::StoredFile> get(JobNumber job, int attempt, std::string_view name) override;

  // A chunk that did not fit (Errc::storage_full) leaves the log as it was.
  Result<std::int64_t> append_log(JobNumber job, int attempt, std::string_view stream, std::int64_t offset,
                                  std::string_view data) override;
  Result<ports::StoredFile> log(JobNumber job, int attempt, std::string_view stream) override;

 private:
  explicit DirectoryStore(std::string root) : root_(std::move(root)) {}
  std::string root_;
};

}  // namespace drover::artifacts
