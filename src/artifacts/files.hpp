#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drover/base/result.hpp"
#include "drover/base/secret.hpp"

// Small calls on file descriptors, with errno as Error. Thread-safe.
namespace drover::artifacts {

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

// ENOENT: not_found. A name too long: invalid. No space, quota or allowed file size: storage_full. Anything
// else: unavailable. `what` says what was tried.
Error errno_error(int error, std::string_view what);

// openat without following a symbolic link; mode 0600 where it creates.
Result<Fd> open_at(const Fd& directory, const std::string& name, int flags);
// The directory `root`/parts[0]/…; with `make`, missing ones (below the root) are made and on disk at return.
Result<Fd> open_directory(const std::string& root, const std::vector<std::string>& parts, bool make);
Result<std::int64_t> file_size(const Fd& file);
// All of `data` at `offset`.
Status write_at(const Fd& file, std::string_view data, std::int64_t offset);
Result<std::string> read_at(const Fd& file, std::size_t size, std::int64_t offset);
Result<Sha256> hash_file(const Fd& file);
Status sync(const Fd& file_or_directory);

}  // namespace drover::artifacts
