#include "drover/artifacts/directory_store.hpp"

#include <cerrno>
#include <cstdio>
#include <ctime>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drover/base/failpoint.hpp"
#include "drover/base/log.hpp"
#include "drover/base/text.hpp"

#include "files.hpp"

namespace drover::artifacts {
namespace {

constexpr const char* kMarker = "deployment";
constexpr std::size_t kFileNameBytes = 255;  // what Linux file systems take

// Where the file of (job, attempt, name) lies: directories below the root, and the file's own name.
struct Place {
  std::vector<std::string> directories;
  std::string file;

  [[nodiscard]] std::string path(const std::string& root) const {
    return fmt::format("{}/{}/{}", root, fmt::join(directories, "/"), file);
  }
};

// An artifact's name as that of one file. Names of several parts make no directories: an attempt may have an
// artifact "d" beside its "d/b.txt".
std::string flat_name(std::string_view name) {
  std::string flat;
  for (const char c : name) {
    if (c == '/' || c == '%') {
      flat += c == '/' ? "%2F" : "%25";
    } else {
      flat += c;
    }
  }
  return flat;
}

Result<Place> place_of(JobNumber job, int attempt, std::string_view kind, std::string_view name) {
  if (job.value < 1 || attempt < 0) return invalid("attempt", "no such job or attempt");
  Place place{{"jobs", std::to_string(job.value / 1'000'000), std::to_string(job.value / 1'000),
               std::to_string(job.value), fmt::format("{}.{}", attempt, kind)},
              std::string(name)};
  if (name == ports::kCheckpointName) {
    place.directories.back() = fmt::format("{}.checkpoint", attempt);
    place.file = ports::kOldCheckpointName;
    return place;
  }
  if (Status named = ports::check_artifact_name(name); !named.ok()) return named.error();
  // A name that cannot be a file's lies in a folder of its own, where it cannot collide with another
  // artifact's plain name.
  if (name.find('/') != std::string_view::npos) {
    place.directories.back() += ".nested";
    place.file = flat_name(name);
  }
  if (place.file.size() > kFileNameBytes) {
    place.directories.back() = fmt::format("{}.{}.long", attempt, kind);
    place.file = to_hex(sha256(name));
  }
  return place;
}

Result<ports::StoredFile> stored_file(const std::string& root, const Result<Place>& place) {
  if (!place.ok()) return place.error();
  Result<Fd> directory = open_directory(root, place->directories, false);
  if (!directory.ok()) return directory.error();
  Result<Fd> file = open_at(*directory, place->file, O_RDONLY | O_NONBLOCK);
  if (!file.ok()) return file.error();
  Result<std::int64_t> size = file_size(*file);
  if (!size.ok()) return size.error();
  return ports::StoredFile{place->path(root), *size};
}

// Removes files that no upload has written to for a day: their daemon is gone.
void clean_spool(const std::string& spool) {
  constexpr std::time_t kAbandonedSeconds = 24 * 3600;
  DIR* directory = ::opendir(spool.c_str());
  if (directory == nullptr) return;
  const std::time_t now = std::time(nullptr);
  while (const dirent* entry = ::readdir(directory)) {
    struct stat info {};
    if (::fstatat(::dirfd(directory), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISREG(info.st_mode) || info.st_mtime > now - kAbandonedSeconds) continue;
    ::unlinkat(::dirfd(directory), entry->d_name, 0);
  }
  ::closedir(directory);
}

// The marker's text; empty when there is none.
Result<std::string> read_marker(const Fd& root) {
  Result<Fd> file = open_at(root, kMarker, O_RDONLY);
  if (!file.ok()) {
    if (file.error().code == Errc::not_found) return std::string{};
    return file.error();
  }
  Result<std::string> text = read_at(*file, 256, 0);
  if (!text.ok()) return text.error();
  return std::string(trim(*text));
}

// The marker is written whole under another name, then linked, so that of two daemons that start together
// only one makes it.
Status write_marker(const Fd& root, const std::string& text) {
  const std::string draft = fmt::format("{}.{}", kMarker, random_u64());
  Result<Fd> file = open_at(root, draft, O_WRONLY | O_CREAT | O_EXCL);
  if (!file.ok()) return file.error();
  Status done = write_at(*file, text + "\n", 0);
  if (done.ok()) done = sync(*file);
  if (done.ok() && ::linkat(root.get(), draft.c_str(), root.get(), kMarker, 0) != 0 && errno != EEXIST) {
    done = errno_error(errno, "writing the artifact store's marker");
  }
  ::unlinkat(root.get(), draft.c_str(), 0);
  return done.ok() ? sync(root) : done;
}

Error offset_conflict(std::int64_t offset, std::int64_t size) {
  return Error{Errc::conflict, fmt::format("the log has {} bytes, not {}: go on from there", size, offset),
               "offset", std::to_string(size)};
}

// The chunk `data` on the locked log `file`.
Result<std::int64_t> append(const Fd& file, std::int64_t offset, std::string_view data) {
  Result<std::int64_t> size = file_size(file);
  if (!size.ok()) return size.error();
  const std::int64_t end = offset + static_cast<std::int64_t>(data.size());
  if (offset != *size) {
    if (end > *size) return offset_conflict(offset, *size);
    Result<std::string> present = read_at(file, data.size(), offset);
    if (!present.ok()) return present.error();
    if (*present != data) return offset_conflict(offset, *size);
    if (Status synced = sync(file); !synced.ok())
      return synced.error();  // the process that wrote it may have died before its sync
    return end;
  }
  DROVER_FAILPOINT("log.checked");
  Status done = write_at(file, data, offset);
  DROVER_FAILPOINT("log.written");
  if (done.ok()) done = sync(file);
  DROVER_FAILPOINT("log.synced");
  if (done.ok()) return end;
  if (::ftruncate(file.get(), *size) != 0) log_error("a log's partial chunk stays: {}", done.error().message);
  return done.error();
}

}  // namespace

Result<std::unique_ptr<DirectoryStore>> DirectoryStore::open(const std::string& root) {
  if (::mkdir(root.c_str(), 0700) != 0 && errno != EEXIST) {
    Error error = errno_error(errno, "making the artifact store " + root);
    error.code = error.code == Errc::not_found ? Errc::unavailable : error.code;
    return error;
  }
  std::unique_ptr<DirectoryStore> store(new DirectoryStore(root));
  Result<Fd> spool = open_directory(root, {"spool"}, true);
  if (!spool.ok()) return spool.error();
  clean_spool(store->spool_directory());
  return store;
}

Status DirectoryStore::check_marker(const Uuid& deployment) {
  Result<Fd> root = open_directory(root_, {}, false);
  if (!root.ok()) return root.error();
  const std::string wanted = to_string(deployment);
  Result<std::string> marker = read_marker(*root);
  if (marker.ok() && marker->empty()) {
    if (::faccessat(root->get(), "jobs", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
      return conflict(fmt::format("{} holds jobs but no file '{}': restore it with this deployment's id, {}",
                                  root_, kMarker, wanted));
    }
    if (Status written = write_marker(*root, wanted); !written.ok()) return written;
    marker = read_marker(*root);
  }
  if (!marker.ok()) return marker.error();
  if (*marker == wanted) return Ok{};
  return conflict(
      fmt::format("the artifact store {} belongs to deployment {}, this one is {}", root_, *marker, wanted));
}

std::string DirectoryStore::spool_directory() const {
  return root_ + "/spool";
}

Result<Sha256> DirectoryStore::put(JobNumber job, int attempt, std::string_view name,
                                   const std::string& spooled) {
  const auto take_over = [&]() -> Result<Sha256> {
    Result<Place> place = place_of(job, attempt, "artifacts", name);
    if (!place.ok()) return place.error();
    const Fd file(::open(spooled.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (!file.valid()) return errno_error(errno, "opening the spooled artifact");
    if (Result<std::int64_t> size = file_size(file); !size.ok()) return size.error();
    Result<Sha256> hash = hash_file(file);
    if (!hash.ok()) return hash.error();
    DROVER_FAILPOINT("artifact.hashed");
    if (Status synced = sync(file); !synced.ok()) return synced.error();
    DROVER_FAILPOINT("artifact.synced");
    Result<Fd> directory = open_directory(root_, place->directories, true);
    if (!directory.ok()) return directory.error();
    if (::renameat(AT_FDCWD, spooled.c_str(), directory->get(), place->file.c_str()) != 0) {
      return errno_error(errno, "moving the artifact into its place");
    }
    DROVER_FAILPOINT("artifact.moved");
    if (Status synced = sync(*directory); !synced.ok()) return synced.error();
    DROVER_FAILPOINT("artifact.kept");
    return hash;
  };
  Result<Sha256> hash = take_over();
  if (hash.ok()) return hash;
  ::unlink(spooled.c_str());
  // ENOENT here means that a part of the store is missing. not_found would tell the worker that its attempt
  // is another's.
  if (hash.error().code == Errc::not_found) hash.error().code = Errc::unavailable;
  return hash;
}

Result<ports::StoredFile> DirectoryStore::get(JobNumber job, int attempt, std::string_view name) {
  Result<ports::StoredFile> file = stored_file(root_, place_of(job, attempt, "artifacts", name));
  if (file.ok() || file.error().code != Errc::not_found || name != ports::kCheckpointName) return file;
  return stored_file(root_, place_of(job, attempt, "artifacts", ports::kOldCheckpointName));
}

Result<std::int64_t> DirectoryStore::append_log(JobNumber job, int attempt, std::string_view stream,
                                                std::int64_t offset, std::string_view data) {
  Result<Place> place = place_of(job, attempt, "logs", stream);
  if (!place.ok()) return place.error();
  if (offset < 0) return invalid("offset", "an offset is not negative");
  // Only a first chunk makes the file: a stray later chunk must not leave an empty log behind.
  const bool first = offset == 0 && !data.empty();
  Result<Fd> directory = open_directory(root_, place->directories, first);
  Result<Fd> file = directory.ok()
                        ? open_at(*directory, place->file, O_RDWR | O_NONBLOCK | (first ? O_CREAT : 0))
                        : Result<Fd>(directory.error());
  if (!file.ok()) {
    if (file.error().code != Errc::not_found) return file.error();
    if (offset == 0) return std::int64_t{0};
    return offset_conflict(offset, 0);
  }
  // The lock belongs to this open file description, so that it works between threads as between processes.
  while (::flock(file->get(), LOCK_EX) != 0) {
    if (errno != EINTR) return errno_error(errno, "locking a log");
  }
  Result<std::int64_t> end = append(*file, offset, data);
  if (end.ok() && first) {
    if (Status synced = sync(*directory); !synced.ok()) return synced.error();
  }
  return end;
}

Result<ports::StoredFile> DirectoryStore::log(JobNumber job, int attempt, std::string_view stream) {
  Result<ports::StoredFile> file = stored_file(root_, place_of(job, attempt, "logs", stream));
  // A first chunk that did not fit leaves an empty file.
  if (file.ok() && file->size == 0) return not_found("nothing was written to this log");
  return file;
}

}  // namespace drover::artifacts
