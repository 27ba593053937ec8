#include "body.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "drover/base/log.hpp"

namespace drover::transport {

namespace {

Error file_error(const char* what, const std::string& path) {
  const int cause = errno;
  log_error("cannot {} {}: {}", what, path, std::strerror(cause));
  if (cause == ENOSPC || cause == EDQUOT) return storage_full("There is no space left for this body.");
  if (cause == EROFS) return storage_full("The disk for this body is read-only.");
  if (cause == EMFILE || cause == ENFILE) return unavailable("Too many files are open.", 1);
  return internal("The body could not be spooled.");
}

}  // namespace

void Body::to_memory(BodyBudget& budget) {
  reset();
  kind_ = Kind::memory;
  budget_ = &budget;
}

Status Body::to_file(const std::string& directory) {
  reset();
  path_ = directory + "/body-XXXXXX";
  fd_ = ::mkostemp(path_.data(), O_CLOEXEC);
  if (fd_ < 0) {
    Error error = file_error("make", path_);
    path_.clear();
    return error;
  }
  kind_ = Kind::file;
  return Ok{};
}

Status Body::append(std::string_view data) {
  const auto bytes = static_cast<std::int64_t>(data.size());
  if (kind_ == Kind::memory) {
    if (!budget_->take(bytes)) return unavailable("Too much is being sent at once.", 1);
    text_ += data;
  }
  size_ += bytes;
  while (kind_ == Kind::file && !data.empty()) {
    const ssize_t written = ::write(fd_, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error("write", path_);
    data.remove_prefix(static_cast<std::size_t>(written));
  }
  return Ok{};
}

void Body::finish(http::Request& request) {
  if (kind_ == Kind::memory) {
    request.body = std::move(text_);
    text_.clear();
  } else if (kind_ == Kind::file) {
    request.spooled = std::make_shared<http::SpooledFile>(path_, size_);
    path_.clear();
  }
  reset();
}

void Body::reset() {
  if (kind_ == Kind::memory) {
    budget_->give(size_);
    std::string().swap(text_);
  }
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear();
  size_ = 0;
  kind_ = Kind::nowhere;
}

}  // namespace drover::transport
