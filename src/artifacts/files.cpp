#include "files.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace drover::artifacts {

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

Error errno_error(int error, std::string_view what) {
  std::array<char, 128> buffer{};
  const std::string text = ::strerror_r(error, buffer.data(), buffer.size());
  switch (error) {
    case ENOENT:
      return not_found(fmt::format("{}: {}", what, text));
    case ENAMETOOLONG:  // some file systems take less than 255 bytes: trying again will not help
      return invalid("name", fmt::format("{}: {}", what, text));
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return storage_full(fmt::format("{}: {}; make room in the artifact store", what, text));
    case EROFS:
      return storage_full(fmt::format("{}: {}; make the artifact store writable", what, text));
    default:
      return unavailable(fmt::format("{}: {}", what, text), 5);
  }
}

Result<Fd> open_at(const Fd& directory, const std::string& name, int flags) {
  Fd fd(::openat(directory.get(), name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return errno_error(errno, "opening " + name);
  return fd;
}

Result<Fd> open_directory(const std::string& root, const std::vector<std::string>& parts, bool make) {
  Fd at(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at.valid()) {
    Error error = errno_error(errno, "opening the artifact store " + root);
    error.code = Errc::unavailable;  // a store that is not there is an outage, not a missing artifact
    return error;
  }
  for (const std::string& part : parts) {
    if (make) {
      if (::mkdirat(at.get(), part.c_str(), 0700) != 0 && errno != EEXIST) {
        return errno_error(errno, "making directory " + part);
      }
      // Also when it was there: another thread may have made it and not have synced it yet.
      if (Status synced = sync(at); !synced.ok()) return synced.error();
    }
    Result<Fd> next = open_at(at, part, O_RDONLY | O_DIRECTORY);
    if (!next.ok()) return next.error();
    at = std::move(*next);
  }
  return at;
}

Result<std::int64_t> file_size(const Fd& file) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return errno_error(errno, "reading a file's size");
  if (!S_ISREG(info.st_mode)) return unavailable("not a regular file in the artifact store");
  return std::int64_t{info.st_size};
}

Status write_at(const Fd& file, std::string_view data, std::int64_t offset) {
  while (!data.empty()) {
    const ssize_t wrote = ::pwrite(file.get(), data.data(), data.size(), offset);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return errno_error(errno, "writing to the artifact store");
    data.remove_prefix(static_cast<std::size_t>(wrote));
    offset += wrote;
  }
  return Ok{};
}

Result<std::string> read_at(const Fd& file, std::size_t size, std::int64_t offset) {
  std::string data(size, '\0');
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t got =
        ::pread(file.get(), data.data() + filled, size - filled, offset + static_cast<std::int64_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "reading from the artifact store");
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  data.resize(filled);
  return data;
}

Result<Sha256> hash_file(const Fd& file) {
  constexpr std::size_t kPiece = 1024 * 1024;
  Sha256Stream hash;
  for (std::int64_t offset = 0;;) {
    Result<std::string> piece = read_at(file, kPiece, offset);
    if (!piece.ok()) return piece.error();
    if (piece->empty()) return hash.finish();
    hash.update(*piece);
    offset += static_cast<std::int64_t>(piece->size());
  }
}

Status sync(const Fd& file_or_directory) {
  if (::fsync(file_or_directory.get()) != 0) return errno_error(errno, "syncing the artifact store");
  return Ok{};
}

}  // namespace drover::artifacts
